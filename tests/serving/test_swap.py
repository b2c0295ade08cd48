"""An application takes the place of another while that one answers."""

import asyncio
import threading
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from core.platform.server.swap import Inner, Swap


class Recorded:
    """An application that says which one it is, slowly if asked, and notes when it begins and ends."""

    def __init__(self, name: str) -> None:
        self.name, self.events = name, list[str]()
        self.go_on = asyncio.Event()
        self.app = FastAPI(lifespan=self.lifespan)

        @self.app.get("/")
        async def quick() -> str:
            return name

        @self.app.get("/slow")
        async def slow() -> str:
            self.events.append("asked")
            await self.go_on.wait()
            self.events.append("answered")
            return name

    @asynccontextmanager
    async def lifespan(self, app: FastAPI):
        self.events.append("began")
        yield
        self.events.append("ended")


async def until(is_so) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.01)


def test_requests_that_have_begun_end_on_the_old_application():
    async def scenario() -> None:
        old, new, closed = Recorded("old"), Recorded("new"), threading.Event()
        swap = Swap(Inner(old.app))
        client = httpx.AsyncClient(transport=httpx.ASGITransport(swap), base_url="http://test")
        async with swap.running(), client:
            slow = asyncio.create_task(client.get("/slow"))
            await until(lambda: "asked" in old.events)
            assert await swap.replace(lambda: Inner(new.app), closed.set)
            assert (await client.get("/")).json() == "new"
            assert not closed.is_set()
            old.go_on.set()
            assert (await slow).json() == "old"
            await until(closed.is_set)
            assert old.events == ["began", "asked", "answered", "ended"]
        assert new.events == ["began", "ended"]

    asyncio.run(scenario())


class Pages:
    """Pages on which an event runs until it is told to end."""

    busy = True

    def are_busy(self) -> bool:
        return self.busy

    def have_unread(self) -> bool:
        return False

    def take_over(self, old: "Pages") -> None:
        assert not old.busy


def test_events_that_begin_wait_for_those_that_run_and_meet_the_new_pages():
    async def scenario() -> None:
        old, new, running = FastAPI(), FastAPI(), Pages()

        @old.post("/gradio_api/queue/join")
        async def join_old() -> str:
            return "old"

        @new.post("/gradio_api/queue/join")
        async def join_new() -> str:
            return "new"

        swap = Swap(Inner(old, running))
        client = httpx.AsyncClient(transport=httpx.ASGITransport(swap), base_url="http://test")
        async with swap.running(), client:
            assert (await client.post("/gradio_api/queue/join")).json() == "old"
            replaced = asyncio.create_task(swap.replace(lambda: Inner(new, Pages()), lambda: None))
            await asyncio.sleep(0.1)
            joining = asyncio.create_task(client.post("/gradio_api/queue/join"))
            await asyncio.sleep(0.1)
            assert not joining.done()
            running.busy = False
            assert await replaced
            assert (await joining).json() == "new"

    asyncio.run(scenario())
