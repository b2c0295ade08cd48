"""Connections to Redis that outlive its restarts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from core.platform.timeouts import REDIS_SECONDS
from core.util.errors import SteerError, UnavailableError

if TYPE_CHECKING:
    from redis import Redis

_SCHEMES = ("redis", "rediss")
# What a server says that is full, cannot write to its disk, or has just become a replica.
_NOT_NOW = re.compile(r"\b(OOM|MISCONF|READONLY|NOREPLICAS|CLUSTERDOWN|MASTERDOWN|TRYAGAIN)\b")
# Waits of 0.1, 0.2, 0.4, 0.8 and then 1 second, each shortened at random so that clients do not return all at once.
_FIRST_WAIT, _LONGEST_WAIT, _TRIES = 0.1, 1.0, 9


def connect(url: str) -> Redis:
    """A client that tries again, ever more slowly, for about five seconds while the server is away.

    Everything that this package sends may be sent twice without harm, so a lost answer is no reason to give up.

    Args:
        url: Address of the server, redis://HOST:PORT/NUMBER, or rediss:// for TLS, with its password.

    Raises:
        SteerError: The URL cannot be read, or the extra `redis` is not installed.
    """
    try:
        from redis import Redis
        from redis.backoff import EqualJitterBackoff
        from redis.exceptions import ConnectionError, TimeoutError
        from redis.retry import Retry
    except ImportError as error:
        raise SteerError("Redis needs an extra of Steer's: pip install 'steer[redis]'") from error
    again = Retry(EqualJitterBackoff(cap=_LONGEST_WAIT, base=_FIRST_WAIT), _TRIES, (ConnectionError, TimeoutError))
    try:
        return Redis.from_url(
            url,
            retry=again,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
            health_check_interval=30,
        )
    except ValueError:  # its message may hold a part of the password
        raise _unreadable("is no address of a Redis server") from None


def is_address(source: str) -> bool:
    """Whether this is meant to be a Redis server, rather than a file."""
    return urlsplit(source).scheme in _SCHEMES


def split_address(address: str) -> tuple[str, str]:
    """URL of a server, and the name of a stream there, from redis://HOST:PORT/NUMBER/NAME.

    Raises:
        SteerError: A part is missing.
    """
    try:
        parts = urlsplit(address)
        is_whole = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise _unreadable("is no address of a Redis server") from None
    number, _, name = parts.path.strip("/").partition("/")
    if not is_whole or not number.isdecimal() or not name:
        raise _unreadable("names no stream")
    return urlunsplit((parts.scheme, parts.netloc, f"/{number}", parts.query, "")), name


def _unreadable(why: str) -> SteerError:
    """Without the address: what stands where in a mistyped one is unknown, and it may be the password."""
    return SteerError(
        f"the address of the queue {why}; write redis://USER:PASSWORD@HOST:PORT/0/NAME, where 0 is the database's "
        "number (in the password, %2F for / and %40 for @)"
    )


def without_password(url: str) -> str:
    """The URL as a message may show it."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@contextmanager
def answered_by(url: str) -> Iterator[None]:
    """Turns what goes wrong with Redis inside the block into errors that a user can mend.

    Raises:
        UnavailableError: It does not answer.
        SteerError: It refuses.
    """
    from redis.exceptions import (
        AuthenticationError,
        ConnectionError,
        ExecAbortError,
        OutOfMemoryError,
        ReadOnlyError,
        RedisError,
        TimeoutError,
    )

    try:
        yield
    except AuthenticationError as error:
        raise SteerError(f"Redis at {without_password(url)} wants another user or password: {error}") from error
    except (ConnectionError, TimeoutError) as error:
        raise UnavailableError(
            f"Redis at {without_password(url)} does not answer ({error}); start it, or correct the address"
        ) from error
    except RedisError as error:
        if isinstance(error, ReadOnlyError | OutOfMemoryError | ExecAbortError) or _NOT_NOW.search(str(error)):
            raise UnavailableError(
                f"Redis at {without_password(url)} takes no writes at the moment ({error})"
            ) from error
        raise SteerError(f"Redis at {without_password(url)} refuses: {error}") from error
