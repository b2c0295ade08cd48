"""The web application as several processes, on one machine or many, behind Ray Serve's proxy on one port."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from rich.console import Console
from starlette.types import ASGIApp

from core.platform import timeouts
from core.platform.http import retry_middleware
from core.platform.http.logs import set_up_logs
from core.platform.scale.cluster import log_like_others, ray_cluster
from core.platform.server.replica_logs import gathered_logs
from core.util.errors import SteerError

_NAME = "steer"
# A replica holds no more requests than this at once; the proxy keeps the others, and gives them to whichever is free.
_REQUESTS_PER_REPLICA = 32
_CHECK_PERIOD_SECONDS = 5
_CHECK_SECONDS = 10


def serve_replicas(
    make_app: Callable[[], FastAPI],
    host: str,
    port: int,
    replicas: int,
    trusted_proxies: Sequence[str] = (),
    *,
    json_logs: bool = False,
) -> None:
    """Answer requests until the process is interrupted or told to terminate; then finish those that have begun.

    Args:
        make_app: Factory of the application, called in each replica; it opens what it needs there, such as the store.
        host: Address to listen on.
        port: Port to listen on, on every machine that has a replica.
        replicas: Number of processes that answer.
        trusted_proxies: Addresses and networks of proxies that are believed when they name their clients.
        json_logs: Whether log lines are for machines.

    Raises:
        SteerError: The extra `ray` is not installed, or the application cannot be made.
    """
    stop = threading.Event()
    with running_replicas(make_app, host, port, replicas, trusted_proxies, json_logs=json_logs):
        for number in (signal.SIGINT, signal.SIGTERM):  # only now: Ray sets a handler of its own when it starts
            signal.signal(number, lambda *_: stop.set())
        Console().print(f"Steer is ready: {replicas} replicas on http://{host}:{port} (Ctrl+C stops them)")
        stop.wait()


@contextmanager
def running_replicas(
    make_app: Callable[[], FastAPI],
    host: str,
    port: int,
    replicas: int,
    trusted_proxies: Sequence[str] = (),
    *,
    json_logs: bool = False,
) -> Iterator[None]:
    """Replicas that answer within the block; see `serve_replicas`.

    A replica that dies, or does not answer `/health`, is replaced. Each has an equal share of the processors.
    """
    callback = f"{retry_middleware.__name__}.{retry_middleware.middlewares.__name__}"
    # uvicorn, on which Ray's proxy stands, would believe whatever comes from this machine.
    proxies = {"FORWARDED_ALLOW_IPS": ",".join(trusted_proxies)}
    variables = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": callback, **proxies}
    set_up_logs(as_json=json_logs)
    with ray_cluster(variables=variables) as ray, gathered_logs(as_json=json_logs) as set_up:
        from ray import serve
        from ray.exceptions import RayError

        log_like_others("ray.serve")
        share = ray.cluster_resources()["CPU"] / replicas
        application = serve.deployment(
            name=_NAME,
            num_replicas=replicas,
            max_ongoing_requests=_REQUESTS_PER_REPLICA,
            ray_actor_options={"num_cpus": min(1.0, share)},
            graceful_shutdown_timeout_s=timeouts.GRACE_SECONDS,
            health_check_period_s=_CHECK_PERIOD_SECONDS,
            health_check_timeout_s=_CHECK_SECONDS,
        )(_replica(make_app, set_up))
        try:
            serve.start(
                http_options={"host": host, "port": port}, controller_options={"runtime_env": {"env_vars": variables}}
            )
            serve.run(application.bind(), name=_NAME)
        except (RuntimeError, RayError) as error:
            serve.shutdown()
            raise SteerError(f"the replicas did not start: {error}") from error
        try:
            yield
        finally:
            serve.delete(_NAME)  # replicas finish what they have begun; `shutdown` alone would stop the proxy first
            serve.shutdown()


def _replica(make_app: Callable[[], FastAPI], set_up: Callable[[], None]) -> Any:
    from ray import serve

    def build() -> FastAPI:  # Ray builds what is a function in the replica, and pickles everything else
        set_up()
        return make_app()

    @serve.ingress(build)
    class Replica:
        """One process with the application."""

        app: ASGIApp

        async def check_health(self) -> None:
            """Raise when the application does not answer, so that Ray Serve replaces this process."""
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://replica") as client:
                answer = await asyncio.wait_for(client.get("/health"), _CHECK_SECONDS)
            answer.raise_for_status()

    return Replica
