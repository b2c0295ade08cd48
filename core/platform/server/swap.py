"""An application whose place another one takes while it answers: requests that have begun end on the old one.

Gradio keeps what is laid out, and what an event makes, in one place for the whole process, so pages are laid out only
while no event runs: those that begin wait for that moment, in which nobody else is answered either.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

if TYPE_CHECKING:  # a server without pages does without Gradio
    from core.platform.pages.handover import LaidOutPages

_EVENTS = ("/gradio_api/queue/join", "/gradio_api/call/", "/gradio_api/run/", "/gradio_api/api/")
_LOOK_SECONDS = 0.02
_EVENTS_SECONDS = 10.0
_UNREAD_SECONDS = 1.0
_LAST_REQUESTS_SECONDS = 30.0


@dataclass(frozen=True)
class Inner:
    """An application and its pages, if it has any."""

    app: FastAPI
    pages: "LaidOutPages | None" = None


class Swap:
    """ASGI application in front of the present inner one.

    Args:
        first: Inner application to begin with.
    """

    def __init__(self, first: Inner) -> None:
        self._current = _Running(first)
        self._open = asyncio.Event()
        self._open.set()
        self._entering = 0
        self._is_ending = False
        self._retired: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the present application."""
        if scope.get("method") != "POST" or not scope["path"].startswith(_EVENTS):
            await self._current.answer(scope, receive, send)
            return
        await self._open.wait()
        self._entering += 1
        try:
            await self._current.answer(scope, receive, send)
        finally:
            self._entering -= 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What the inner applications do while the server runs."""
        await self._current.start()
        try:
            yield
        finally:
            self._is_ending = True
            await asyncio.gather(*self._retired, self._current.end())

    async def replace(self, make: Callable[[], Inner], then: Callable[[], None]) -> bool:
        """Put another application in the place of the present one.

        Args:
            make: Function that makes it; nobody is answered meanwhile.
            then: Function that is called once the last request of the old one has ended, in a thread.

        Returns:
            Whether it took place; not where an event went on for too long.
        """
        self._open.clear()
        try:
            if not await self._is_quiet():
                return False
            old, new = self._current, _Running(make())
            await new.start()
            if old.inner.pages is not None and new.inner.pages is not None:
                new.inner.pages.take_over(old.inner.pages)
            self._current = new
        finally:
            self._open.set()
        retired = asyncio.create_task(self._retire(old, then))
        self._retired.add(retired)
        retired.add_done_callback(self._retired.discard)
        return True

    async def _retire(self, old: "_Running", then: Callable[[], None]) -> None:
        # A page that stays open holds a connection for as long.
        await _until(lambda: self._is_ending or not old.requests, _LAST_REQUESTS_SECONDS)
        await old.end()
        await asyncio.to_thread(then)

    async def _is_quiet(self) -> bool:
        """Wait until no event runs, and then a little until all answers are fetched; some visitors are gone."""
        pages = self._current.inner.pages
        if pages is None:
            return True
        is_idle = await _until(lambda: not self._entering and not pages.are_busy(), _EVENTS_SECONDS)
        return is_idle and (await _until(lambda: not pages.have_unread(), _UNREAD_SECONDS) or not pages.are_busy())


class _Running:
    """An inner application with the number of its requests."""

    def __init__(self, inner: Inner) -> None:
        self.inner, self.requests = inner, 0
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        try:
            await self.inner.app(scope, receive, send)
        finally:
            self.requests -= 1

    async def start(self) -> None:
        """Begin what it does besides; a task of its own does, since it must end in the task in which it began."""
        started = asyncio.Event()
        self._task = asyncio.create_task(self._live(started))
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait({self._task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            self._task.result()

    async def end(self) -> None:
        self._ended.set()
        if self._task is not None:
            await self._task

    async def _live(self, started: asyncio.Event) -> None:
        async with self.inner.app.router.lifespan_context(self.inner.app):
            started.set()
            await self._ended.wait()


async def _until(is_so: Callable[[], bool], seconds: float) -> bool:
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    while not is_so():
        if clock() >= until:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True
