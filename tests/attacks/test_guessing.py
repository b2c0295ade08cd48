"""Trying again and again: passwords, keys, and the server's patience."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from prometheus_client import generate_latest
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from core.platform.auth.access import Principal
from core.platform.http.addresses import checked_proxies
from core.platform.http.limits import Limits, LimitsMiddleware, SharesMiddleware
from core.platform.http.request_log import RequestLogMiddleware
from core.platform.server.application import Serving, create_app
from core.platform.store import accounts
from core.platform.store.accounts import LOCAL
from core.platform.store.database import open_store, sqlite_url
from core.util.errors import SteerError
from tests.attacks.conftest import PASSWORD
from tests.servers import free_port

pytestmark = pytest.mark.slow

TIGHT = Limits(body=100, requests=10, asset_requests=10, page_requests=10, uploads=3, seconds=0.3)


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


@pytest.mark.parametrize(
    ("trusted", "address", "statuses"),
    [
        ("203.0.113.0/24", "203.0.113.1", [401] * 5 + [429]),  # the address that the proxy saw
        ("203.0.113.0/24", "192.0.2.1", [401] * 5 + [429]),  # the sender's own, which is no proxy's
        ("", "127.0.0.1", [401] * 5 + [429]),  # not even this machine is a proxy's unless a setting says so
    ],
)
def test_only_a_proxy_that_a_setting_names_is_believed(tmp_path, trusted, address, statuses):
    """A proxy adds the address that it saw, 198.51.100.9, to those which the sender made up."""
    store = open_store(sqlite_url(tmp_path / "steer.db"))
    with store.transaction() as session:
        accounts.create(session, "root", PASSWORD, "admin")
    options = Serving(accounts=True, pages=False, trusted_proxies=checked_proxies(trusted))
    app = create_app([], tmp_path, store, options)
    forms = [
        httpx.Request(
            "POST",
            "http://steer/login",
            data={"name": "root", "password": "a guess"},
            headers={"X-Forwarded-For": f"192.0.2.{at}, 198.51.100.9" if trusted else f"198.51.100.{at}"},
        )
        for at in range(6)
    ]
    assert sorted(answer.status_code for answer in at_once(app, *forms, address=address)) == statuses
    store.close()


@pytest.mark.parametrize("proxies", ["*", "localhost", "10.0.0.0/33", "10.0.0.1/8", "127.0.0.1,,evil"])
def test_a_setting_that_trusts_everybody_or_nobody_knows_whom_is_refused(proxies):
    with pytest.raises(SteerError, match="no address of a proxy"):
        checked_proxies(proxies)


@pytest.fixture
def limited():
    """A small application behind the same limits as the server, only tighter."""
    app = FastAPI()

    @app.post("/v1/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.get("/v1/slow")
    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(60)

    @app.get("/page")
    async def page() -> str:
        return "page"

    app.add_middleware(SharesMiddleware, limits=TIGHT)
    app.add_middleware(Known)
    app.add_middleware(LimitsMiddleware, limits=TIGHT)
    app.add_middleware(RequestLogMiddleware)
    return app


class Known:
    """Lets in whoever says their name."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (name := Headers(scope=scope).get("x-name")):
            scope.setdefault("state", {})["principal"] = Principal(name, "viewer")
        await self.app(scope, receive, send)


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


@pytest.mark.parametrize("path", ["/page", "/nowhere", "/metrics", "/v1x", "/gradio_api/queue/join", "/assets/x"])
def test_requests_outside_the_api_are_counted_too(limited, path):
    requests = [httpx.Request("GET", f"http://steer{path}") for _ in range(14)]
    statuses = [answer.status_code for answer in at_once(limited, *requests)]
    assert statuses.count(429) == 4
    api = httpx.Request("POST", "http://steer/v1/echo")
    assert at_once(limited, api)[0].status_code == 200  # pages do not use up what the API may be asked


def test_the_addresses_of_one_subscriber_count_as_one_and_others_do_not(limited):
    def asked(*addresses: str) -> list[int]:
        request = httpx.Request("GET", "http://steer/page")
        return [at_once(limited, request, address=address)[0].status_code for address in addresses]

    assert asked(*(f"2001:db8::{at:x}:{at:x}" for at in range(12))) == [200] * 10 + [429] * 2
    assert asked("2001:db8:0:1::1", "fe80::1%eth0") == [200, 200]
    # A listener on `::` sees IPv4 addresses in this form; they are not one subscriber's.
    assert asked(*(f"::ffff:198.51.100.{at}" for at in range(12))) == [200] * 12
    assert asked(*["198.51.100.1"] * 10) == [200] * 9 + [429]


def test_a_person_who_changes_addresses_has_one_share(limited):
    def asked(name: str, addresses: range) -> list[int]:
        request = httpx.Request("POST", "http://steer/v1/echo", headers={"X-Name": name})
        return [at_once(limited, request, address=f"192.0.2.{at}")[0].status_code for at in addresses]

    assert asked("ann", range(12)) == [200] * 10 + [429] * 2
    assert asked("bob", range(1)) == [200]


def test_without_accounts_each_address_has_a_share(limited):
    def asked(path: str, address: str) -> list[int]:
        requests = [httpx.Request("POST", f"http://steer{path}", headers={"X-Name": LOCAL}) for _ in range(10)]
        return sorted(answer.status_code for answer in at_once(limited, *requests, address=address))

    for path, statuses in (("/v1/echo", [200] * 10), ("/gradio_api/upload", [404] * 3 + [429] * 7)):
        assert asked(path, "192.0.2.1") == statuses
        assert asked(path, "192.0.2.2") == statuses


@pytest.mark.parametrize("parser", ["h11", "httptools"])
def test_made_up_methods_are_turned_away_and_fill_no_metric(limited, parser):
    """h11 hands on whatever looks like a method; each would be kept as a value of a label."""
    with listening(limited, parser) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        before = len(generate_latest())
        statuses = [client.request(f"MADEUP{at}", "/page").status_code for at in range(200)]
        assert client.get("/v1/slow").status_code == 504
    assert set(statuses) <= {400, 405, 429}
    assert 400 in statuses if parser == "httptools" else statuses.count(429) == 190
    assert len(generate_latest()) - before < 10_000
    assert "MADEUP" not in generate_latest().decode()


@contextmanager
def listening(app: FastAPI, parser: str) -> Iterator[int]:
    """The application on a port of this machine, behind one of the parsers that uvicorn may use."""
    server = uvicorn.Server(uvicorn.Config(app, port=free_port(), http=parser, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.config.port
    server.should_exit = True
    thread.join()


def test_who_sends_slowly_is_not_waited_for(limited):
    async def slowly():
        while True:
            yield b" "
            await asyncio.sleep(0.1)

    slow = httpx.Request("POST", "http://steer/v1/echo", content=slowly())
    others = [httpx.Request("GET", f"http://steer{path}") for path in ("/v1/slow", "/slow")]
    answers = at_once(limited, slow, *others)
    assert [answer.status_code for answer in answers] == [504, 504, 504]
    assert answers[0].headers["content-type"] == "application/problem+json"
