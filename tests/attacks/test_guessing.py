"""Trying again and again: passwords, keys, and the server's patience."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Request

from core.platform.http.limits import Limits, LimitsMiddleware
from core.platform.http.request_log import RequestLogMiddleware
from tests.attacks.conftest import PASSWORD

pytestmark = pytest.mark.slow


def from_address(guarded, address: str) -> httpx.Client:
    """A client at another address of this machine, from which the server takes no word of a proxy."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=guarded.address, transport=transport, timeout=60)


def guess(client: httpx.Client, name: str, password: str, **headers: str) -> int:
    return client.post("/login", data={"name": name, "password": password}, headers=headers).status_code


def test_guessing_a_password_ends_after_five_times(guarded):
    with from_address(guarded, "127.0.0.2") as client:
        assert [guess(client, "root", f"a guess {at}") for at in range(6)] == [401] * 5 + [429]
        assert guess(client, "ROOT", PASSWORD) == 429  # neither capitals nor being right helps now


def test_guessing_names_ends_after_twenty(guarded):
    with from_address(guarded, "127.0.0.3") as client:
        statuses = [guess(client, f"user{at}", "a guess") for at in range(21)]
    assert statuses == [401] * 20 + [429]


@pytest.mark.parametrize(
    ("address", "header"),
    [("127.0.1.1", "X-Forwarded-For"), ("127.0.1.2", "X-Real-IP"), ("127.0.1.3", "Forwarded")],
)
def test_a_made_up_address_is_not_believed(guarded, address, header):
    with from_address(guarded, address) as client:
        statuses = [guess(client, "root", "a guess", **{header: f"198.51.100.{at}"}) for at in range(6)]
    assert statuses == [401] * 5 + [429]


def test_behind_a_proxy_the_address_that_it_saw_counts(guarded):
    """A proxy on this machine adds the address that it saw to those which the sender made up."""
    with from_address(guarded, "127.0.0.1") as proxy:
        seen = [{"X-Forwarded-For": f"198.51.100.{at}, 203.0.113.9"} for at in range(6)]
        statuses = [guess(proxy, "root", "a guess", **headers) for headers in seen]
    assert statuses == [401] * 5 + [429]


@pytest.fixture
def limited():
    """A small application behind the same limits as the server, only tighter."""
    app = FastAPI()

    @app.post("/v1/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.get("/v1/slow")
    async def slow() -> None:
        await asyncio.sleep(60)

    app.add_middleware(LimitsMiddleware, limits=Limits(body=100, requests=10, seconds=0.3))
    app.add_middleware(RequestLogMiddleware)
    return app


def at_once(app: FastAPI, *requests: httpx.Request, address: str = "192.0.2.1") -> list[httpx.Response]:
    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, client=(address, 5000))
        async with httpx.AsyncClient(transport=transport) as client:
            return list(await asyncio.gather(*(client.send(request) for request in requests)))

    return asyncio.run(send())


def test_too_many_requests_are_turned_away_with_the_time_to_wait(limited):
    requests = [
        httpx.Request("POST", "http://steer/v1/echo", headers={"Authorization": f"Bearer {at}"}) for at in range(14)
    ]
    answers = at_once(limited, *requests)
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 4
    assert answers[-1].headers["retry-after"] == "10"
    assert at_once(limited, requests[0], address="192.0.2.2")[0].status_code == 200


def test_who_sends_slowly_is_not_waited_for(limited):
    async def slowly():
        while True:
            yield b" "
            await asyncio.sleep(0.1)

    slow = httpx.Request("POST", "http://steer/v1/echo", content=slowly())
    answers = at_once(limited, slow, httpx.Request("GET", "http://steer/v1/slow"))
    assert [answer.status_code for answer in answers] == [504, 504]
    assert answers[0].headers["content-type"] == "application/problem+json"
