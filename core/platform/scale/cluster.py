"""Connections to Ray: the cluster that exists, or one of this machine for as long as it is needed."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.util.errors import SteerError

_OBJECT_STORE_BYTES = 200_000_000


def log_like_others(name: str) -> None:
    """Let a logger of Ray's, which bring handlers of their own, write where everything else is written."""
    logger = logging.getLogger(name)
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.WARNING)


@contextmanager
def ray_cluster(cpus: int | None = None, variables: Mapping[str, str] | None = None) -> Iterator[Any]:
    """The module `ray`, connected; what this started is stopped at the end of the block.

    A connection that the process has already is used. Otherwise `RAY_ADDRESS` names a cluster, and without it one of
    this machine alone is started: no dashboard, no report of usage, 200 MB for objects.

    Args:
        cpus: Number of processors of this machine that Ray may use, all by default; an existing cluster knows its own.
        variables: Environment variables of every process that is started, here and on other machines.

    Raises:
        SteerError: The extra `ray` is not installed, or the cluster does not answer.
    """
    try:
        import ray
    except ImportError as error:
        raise SteerError("Ray needs an extra of Steer's: pip install 'steer[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    log_like_others("ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {"runtime_env": {"env_vars": dict(variables)}} if variables else {}
    if "RAY_ADDRESS" not in os.environ:
        # Without an address Ray would join whatever cluster somebody has started on this machine.
        options |= {"address": "local", "num_cpus": cpus, "include_dashboard": False}
        options |= {"object_store_memory": _OBJECT_STORE_BYTES}
    try:
        ray.init(log_to_driver=False, configure_logging=False, **options)
    except (ConnectionError, RuntimeError) as error:
        where = os.environ.get("RAY_ADDRESS", "this machine")
        raise SteerError(f"cannot join the Ray cluster of {where}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()
