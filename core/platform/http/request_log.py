"""The id of each request, its line in the log, and its time in the metrics."""

import random
import re
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.platform.inference.metrics import REQUEST_SECONDS, REQUESTS_RUNNING

_GIVEN_ID = re.compile(r"[\w.-]{8,64}")
# Clients may make up others, and each value of a metric's label is kept for ever.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_QUIET = ("/health", "/ready", "/metrics")
_ROUTES = ("/v1/", "/login", "/logout", *_QUIET)


class RequestLogMiddleware:
    """Gives each request an id (or keeps the client's `X-Request-ID`), logs and times it.

    The log holds method, route, status and the reason of a failure of ours, never a body or a query: those are
    people's texts.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        # No secret: unlike uuid4, this lets no other thread go first.
        request_id = given if _GIVEN_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
        scope.setdefault("state", {})["request_id"] = request_id
        status, started = 500, time.perf_counter()

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id), REQUESTS_RUNNING.track_inprogress():
            try:
                await self.app(scope, receive, with_id)
            finally:
                self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = _template(scope), scope["method"] if scope["method"] in _METHODS else "other"
        REQUEST_SECONDS.labels(method, route, status).observe(seconds)
        if route not in _QUIET and route != "page":
            line = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
            if status < 500:
                structlog.get_logger().info("request", **line)
            else:
                structlog.get_logger().warning("request", **line, **_reason(scope))


def _reason(scope: Scope) -> dict[str, str]:
    """Why it failed, where that is known (see `core.platform.http.problems`)."""
    reason = scope["state"].get("reason")
    return {"reason": reason} if reason else {}


def _template(scope: Scope) -> str:
    """The address with names in the place of ids, which are people's, and far too many for a metric."""
    path: str = scope["path"]
    if "route" not in scope or not path.startswith(_ROUTES):
        return "page"
    for name, value in scope.get("path_params", {}).items():
        path = path.replace(f"/{value}", f"/{{{name}}}")
    return path
