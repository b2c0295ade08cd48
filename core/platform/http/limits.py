"""Limits of one client: bytes of every body, requests of the API per minute, and seconds of each."""

import asyncio
from dataclasses import dataclass

from fastapi import HTTPException
from limits import RateLimitItemPerMinute
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.platform.http.problems import problem
from core.platform.http.rate_limiter import RateLimiter

_UPLOAD = "/gradio_api/upload"


@dataclass(frozen=True)
class Limits:
    """Limits of one client.

    Attributes:
        body: Size of the largest body in bytes, of the API and of pages.
        requests: Number of requests of the API in a minute, from one address.
        seconds: Seconds until a request of the API must have begun to be answered.
    """

    body: int = 1_000_000
    requests: int = 6_000
    seconds: float = 60.0


class LimitsMiddleware:
    """Holds clients to their limits; pages have Gradio's own of uploads, and a queue.

    Args:
        app: Application behind it.
        limits: Limits of one client.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits
        self._rate = RateLimitItemPerMinute(limits.requests)
        self._window = RateLimiter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["path"] == _UPLOAD:
            await self.app(scope, receive, send)
            return
        is_api = scope["path"].startswith("/v1")
        request_id = scope.get("state", {}).get("request_id")
        address = (scope.get("client") or ("unknown",))[0]
        if is_api and not self._window.hit(self._rate, address):
            detail = f"You sent more than {self.limits.requests:,} requests within a minute; wait a little."
            await problem(429, detail, {"Retry-After": "10"}, request_id=request_id)(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > self.limits.body:
            await problem(413, self._too_large, request_id=request_id)(scope, receive, send)
            return
        if is_api:
            await self._within_time(scope, self._counted(receive), send, request_id)
        else:
            await self.app(scope, self._counted(receive), send)

    async def _within_time(self, scope: Scope, receive: Receive, send: Send, request_id: str | None) -> None:
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            timer.reschedule(None)  # what streams may take its time
            await send(message)

        try:
            async with asyncio.timeout(self.limits.seconds) as timer:
                await self.app(scope, receive, noted)
        except TimeoutError:
            if begun or not timer.expired():
                raise
            detail = f"There was no answer within {self.limits.seconds:g} seconds."
            await problem(504, detail, request_id=request_id)(scope, receive, send)

    def _counted(self, receive: Receive) -> Receive:
        """A body may come in pieces without saying how long it will be."""
        total = 0

        async def counted() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self.limits.body:
                raise HTTPException(413, self._too_large)
            return message

        return counted

    @property
    def _too_large(self) -> str:
        return f"The body is larger than {self.limits.body:,} bytes."
