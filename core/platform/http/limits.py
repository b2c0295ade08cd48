"""One policy for what a client may ask of the server: sizes, rates and times, for each address and each person."""

import asyncio
from dataclasses import dataclass

from fastapi import HTTPException
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.platform.http.addresses import subscriber
from core.platform.http.problems import problem
from core.platform.http.rate_limiter import RateLimiter
from core.platform.store.accounts import LOCAL

_UPLOAD = "/gradio_api/upload"
# Files of the pages' program, which are the same for everybody; a page asks for a hundred of them.
_ASSETS = ("/assets/", "/static/", "/svelte/", "/theme.css", "/favicon.ico")


@dataclass(frozen=True)
class Limits:
    """Limits of one client. A rate holds for an address, and again for a person at whichever address.

    Without accounts nobody is known by a name: what is a person's share is an address's there.

    Attributes:
        body: Size of the largest body in bytes.
        upload: Size of the largest upload in bytes, all its files and fields together.
        requests: Number of requests of the API in a minute.
        asset_requests: Number of requests of the pages' scripts and styles in a minute.
        page_requests: Number of other requests in a minute: pages and their events, metrics, made-up addresses.
        uploads: Number of a person's uploads in an hour.
        events: Number of a person's events that may wait or run in the pages' queue.
        unread: Number of answers that the pages' queue keeps for a person who does not fetch them.
        seconds: Seconds until a request must have begun to be answered.
        upload_seconds: The same for an upload.
    """

    body: int = 1_000_000
    upload: int = 10_500_000
    requests: int = 6_000
    asset_requests: int = 60_000
    page_requests: int = 6_000
    uploads: int = 30
    events: int = 32
    unread: int = 256
    seconds: float = 60.0
    upload_seconds: float = 600.0


def share_of(name: str, client: str) -> str:
    """Whose share a request uses up.

    Args:
        name: Name of whoever asks.
        client: Address that they ask from.
    """
    # All share one name without accounts; by that name, one address could use up everybody's share.
    return f"{LOCAL} {subscriber(client)}" if name == LOCAL else name


class LimitsMiddleware:
    """Holds every address to the limits, before anybody knows who asks.

    Args:
        app: Application behind it.
        limits: Limits of one client.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits, self._rates = app, limits, _Rates(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._rates.refusal(scope, subscriber(_client(scope)), _kind(scope)) or self._oversize(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        is_upload = scope["path"] == _UPLOAD
        limited = _at_most(self.limits.upload if is_upload else self.limits.body, receive)
        seconds = self.limits.upload_seconds if is_upload else self.limits.seconds
        await self._within_time(seconds, scope, limited, send)

    def _oversize(self, scope: Scope) -> Response | None:
        """The answer to a request that is too large, or whose parts would be kept; None to any other."""
        headers, most = Headers(scope=scope), self.limits.body
        if scope["path"] == _UPLOAD:
            most = self.limits.upload
        elif headers.get("content-type", "").strip().lower().startswith("multipart/"):
            return _refusal(scope, 415, f"Files are taken at {_UPLOAD} alone.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            return _refusal(scope, 413, _too_large(most))
        return None

    async def _within_time(self, seconds: float, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            timer.reschedule(None)  # what streams may take its time
            await send(message)

        try:
            async with asyncio.timeout(seconds) as timer:
                await self.app(scope, receive, noted)
        except TimeoutError:
            if begun or not timer.expired():
                raise
            await _refusal(scope, 504, f"There was no answer within {seconds:g} seconds.")(scope, receive, send)


class SharesMiddleware:
    """Holds every person to the limits, from whichever addresses they come.

    Args:
        app: Application behind it; `scope["state"]["principal"]` says who asks.
        limits: Limits of one client.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self._rates = app, _Rates(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        principal = scope.get("state", {}).get("principal")
        if scope["type"] == "http" and principal is not None:
            kinds = (_kind(scope), "uploads") if scope["path"] == _UPLOAD else (_kind(scope),)
            refusal = self._rates.refusal(scope, share_of(principal.name, _client(scope)), *kinds)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)


class _Rates:
    """Counts requests in this process's memory."""

    def __init__(self, limits: Limits) -> None:
        self._window = RateLimiter()
        self._kinds = {
            "requests": (RateLimitItemPerMinute(limits.requests), "requests within a minute", 10),
            "asset_requests": (RateLimitItemPerMinute(limits.asset_requests), "requests of assets within a minute", 10),
            "page_requests": (RateLimitItemPerMinute(limits.page_requests), "requests of pages within a minute", 10),
            "uploads": (RateLimitItemPerHour(limits.uploads), "uploads within an hour", 600),
        }

    def refusal(self, scope: Scope, who: str, *kinds: str) -> Response | None:
        """Count a request; the answer to one too many, else None."""
        for kind in kinds:
            rate, what, wait = self._kinds[kind]
            if not self._window.hit(rate, kind, who):
                detail = f"You sent more than {rate.amount:,} {what}; wait a little."
                return _refusal(scope, 429, detail, {"Retry-After": str(wait)})
        return None


def _client(scope: Scope) -> str:
    return str((scope.get("client") or ("unknown",))[0])


def _kind(scope: Scope) -> str:
    path: str = scope["path"]
    if path == "/v1" or path.startswith("/v1/"):
        return "requests"
    return "asset_requests" if path.startswith(_ASSETS) else "page_requests"


def _refusal(scope: Scope, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return problem(status, detail, headers, request_id=scope.get("state", {}).get("request_id"))


def _at_most(most: int, receive: Receive) -> Receive:
    """A body may come in pieces without saying how long it will be."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > most:
            raise HTTPException(413, _too_large(most))
        return message

    return counted


def _too_large(most: int) -> str:
    return f"The body is larger than {most:,} bytes."
