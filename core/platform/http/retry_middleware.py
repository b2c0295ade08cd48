"""Retries: a request whose replica died before it answered is given to another replica.

Ray Serve's proxy stops sending requests to a dead replica, but to those that the replica had begun it answers with
status 500. And one that has just started answers everything with status 404 until it is told of the application.
"""

import asyncio

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.platform.http.idempotency import HEADER, is_idempotent
from core.platform.http.problems import RETRY_AFTER, problem

_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.05
_KEPT_BYTES = 1_000_000
# Where the proxy itself says whether it knows its routes yet; no replica is asked.
_HEALTH = "/-/healthz"
_READY_TIMEOUT_SECONDS, _POLL_SECONDS = 10.0, 0.05


class RetryMiddleware:
    """Repeats requests that may be repeated; the client waits a moment and notices nothing.

    These are requests of an idempotent method, and any that carry an `Idempotency-Key`: a route of the API does what
    such a request asks for once, however often it comes, or refuses the key (`core.platform.http.parameters`). Of
    another POST, and where the last thing is taken back, nobody can tell whether the replica died before or after the
    deed, so it ends with status 503 and the client decides. Nor can an answer be repeated that has begun to arrive.

    Args:
        app: Ray Serve's proxy, which returns without a message when no replica answered.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._is_ready = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not self._is_ready and scope["path"] != _HEALTH:
            await self._wait_until_ready(scope)
        request = _Request(receive)
        attempts = _ATTEMPTS if _may_be_repeated(scope) else 1
        for attempt in range(attempts):
            has_begun = await self._attempt(scope, request, send)
            if has_begun or request.is_abandoned:
                return
            if not request.is_kept:
                break
            if attempt + 1 < attempts:
                await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
        detail = "The process that worked on it died before it answered; whether it is done cannot be said from here."
        await problem(503, detail, {"Retry-After": RETRY_AFTER})(scope, receive, send)

    async def _wait_until_ready(self, scope: Scope) -> None:
        """Wait until the proxy knows its routes, at most `_READY_TIMEOUT_SECONDS`."""
        for _ in range(round(_READY_TIMEOUT_SECONDS / _POLL_SECONDS)):
            if self._is_ready or await self._is_healthy(scope):
                break
            await asyncio.sleep(_POLL_SECONDS)
        self._is_ready = True

    async def _is_healthy(self, scope: Scope) -> bool:
        statuses: list[int] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        probe = {"method": "GET", "path": _HEALTH, "raw_path": _HEALTH.encode(), "query_string": b""}
        await self.app({**scope, **probe}, receive, send)
        return statuses == [200]

    async def _attempt(self, scope: Scope, request: "_Request", send: Send) -> bool:
        """Whether a replica began to answer."""
        has_begun = False

        async def noticed(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        await self.app(dict(scope), request.from_the_start(), noticed)
        return has_begun


class _Request:
    """The messages of a request, which can be read again from the start.

    Attributes:
        is_kept: Whether they can; a body beyond `_KEPT_BYTES` is not kept.
        is_abandoned: Whether the client has gone.
    """

    def __init__(self, receive: Receive) -> None:
        self.is_kept, self.is_abandoned = True, False
        self._receive, self._messages, self._bytes = receive, list[Message](), 0

    def from_the_start(self) -> Receive:
        """Reads what has come already, then what comes."""
        read = 0

        async def receive() -> Message:
            nonlocal read
            if read == len(self._messages):
                self._keep(await self._receive())
            read += 1
            message = self._messages[read - 1]
            if not self.is_kept:
                self._messages[read - 1] = {}
            return message

        return receive

    def _keep(self, message: Message) -> None:
        self._messages.append(message)
        self._bytes += len(message.get("body", b""))
        self.is_kept = self._bytes <= _KEPT_BYTES
        self.is_abandoned = message["type"] == "http.disconnect"


def middlewares() -> list[Middleware]:
    """What Ray Serve's proxy puts around itself: `RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH` names this function."""
    return [Middleware(RetryMiddleware)]


def _may_be_repeated(scope: Scope) -> bool:
    return is_idempotent(scope) or HEADER in Headers(scope=scope)
