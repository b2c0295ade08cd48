"""At the entrance a request whose replica died goes to another one, if it may be repeated.

The proxy is a small ASGI app, and time is simulated: where everybody waits, the clock jumps to the next thing to do.
"""

import asyncio
import json
import selectors
from collections.abc import Iterable

import pytest

from core.platform.http.retry_middleware import RetryMiddleware, middlewares

DIES = 0  # instead of a status


class JumpingClock(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None):
        self.now += timeout or 0.0
        return super().select(0)


class Clock(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = JumpingClock()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def now() -> float:
    return round(asyncio.get_running_loop().time(), 6)


class Proxy:
    """Answers with the statuses given, one a request, then with the last one again; remembers what it was asked."""

    def __init__(self, *statuses: int, health: Iterable[int] = (200,)) -> None:
        self.statuses, self.health = list(statuses), list(health)
        self.times, self.bodies, self.scopes, self.checks = [], [], [], []

    async def __call__(self, scope, receive, send):
        if scope["path"] == "/-/healthz":
            self.checks.append((now(), scope["method"], scope["raw_path"], scope["query_string"], await receive()))
            await answer(send, self.health[0] if len(self.health) == 1 else self.health.pop(0))
            return
        self.times.append(now())
        self.scopes.append(dict(scope))
        scope["path"] = "/changed on the way"
        self.bodies.append(await whole_body(receive))
        status = self.statuses[0] if len(self.statuses) == 1 else self.statuses.pop(0)
        if status != DIES:
            await answer(send, status)


async def answer(send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


async def whole_body(receive) -> bytes | None:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def scope_of(method: str, headers: dict[str, str], path: str = "/films") -> dict:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    target = {"path": path, "raw_path": path.encode(), "query_string": b"page=2"}
    return {"type": "http", "method": method, "headers": raw, **target}


async def one_request(entrance, method="GET", headers=None, chunks=(b"",), path="/films") -> list[dict]:
    """What the client gets; a chunk of None is its going away."""
    sent: list[dict] = []
    coming = [
        {"type": "http.disconnect"}
        if chunk is None
        else {"type": "http.request", "body": chunk, "more_body": at + 1 < len(chunks)}
        for at, chunk in enumerate(chunks)
    ]

    async def receive():
        return coming.pop(0)

    async def send(message):
        sent.append(message)

    await entrance(scope_of(method, headers or {}, path), receive, send)
    return sent


def ask(proxy: Proxy, *args, **options) -> list[dict]:
    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(one_request(RetryMiddleware(proxy), *args, **options))


def test_what_is_answered_is_passed_on_and_asked_once():
    proxy = Proxy(200)
    sent = ask(proxy)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[1]["body"] == b"done"
    assert len(proxy.times) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
def test_an_idempotent_request_is_repeated_until_a_replica_answers(method):
    proxy = Proxy(DIES, DIES, 200)
    assert ask(proxy, method)[0]["status"] == 200
    assert proxy.times == [0.0, 0.05, 0.15]


def test_after_five_attempts_with_longer_and_longer_pauses_the_client_is_told_to_come_again():
    proxy = Proxy(DIES)
    start, body = ask(proxy)
    assert proxy.times == [0.0, 0.05, 0.15, 0.35, 0.75]
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    assert json.loads(body["body"])["detail"].startswith("The process that worked on it died before it answered;")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_of_other_requests_nobody_knows_whether_they_are_done_so_they_are_not_repeated(method):
    proxy = Proxy(DIES, 200)
    assert ask(proxy, method)[0]["status"] == 503
    assert proxy.times == [0.0]


def test_the_pauses_end_with_the_last_attempt():
    async def ended(proxy: Proxy, method: str) -> float:
        await one_request(RetryMiddleware(proxy), method)
        return now()

    for method, seconds in (("POST", 0.0), ("GET", 0.75)):
        with asyncio.Runner(loop_factory=Clock) as runner:
            assert runner.run(ended(Proxy(DIES), method)) == seconds


def test_a_post_with_an_idempotency_key_may_be_repeated():
    proxy = Proxy(DIES, 200)
    assert ask(proxy, "POST", {"idempotency-key": "k1"})[0]["status"] == 200
    assert len(proxy.times) == 2


def test_taking_back_the_last_thing_is_not_repeated():
    proxy = Proxy(DIES, 200)
    assert ask(proxy, "DELETE", path="/films/last")[0]["status"] == 503
    assert len(proxy.times) == 1


def test_every_attempt_sees_the_same_request():
    proxy = Proxy(DIES, DIES, 201)
    ask(proxy, "PUT", chunks=(b"one, ", b"two, ", b"three"))
    assert proxy.bodies == [b"one, two, three"] * 3
    assert proxy.scopes == [scope_of("PUT", {})] * 3


def test_an_attempt_that_read_half_leaves_the_whole_to_the_next():
    class Impatient(Proxy):
        async def __call__(self, scope, receive, send):
            if scope["path"] != "/-/healthz" and not self.times:
                self.times.append(now())
                await receive()
                return
            await super().__call__(scope, receive, send)

    proxy = Impatient(200)
    ask(proxy, "PUT", chunks=(b"one, ", b"two"))
    assert proxy.bodies == [b"one, two"]


def test_a_replica_that_dies_before_it_reads_leaves_the_request_to_the_next():
    class Deaf(Proxy):
        async def __call__(self, scope, receive, send):
            if scope["path"] == "/-/healthz" or self.times:
                return await super().__call__(scope, receive, send)
            return self.times.append(now())

    proxy = Deaf(200)
    assert ask(proxy, "PUT", chunks=(b"body",))[0]["status"] == 200
    assert (proxy.times, proxy.bodies) == ([0.0, 0.05], [b"body"])


@pytest.mark.parametrize(("size", "attempts"), [(1_000_000, 2), (1_000_001, 1)])
def test_a_body_beyond_a_million_bytes_is_not_kept_and_so_not_sent_again(size, attempts):
    proxy = Proxy(DIES, 200)
    chunks = (b"x" * 600_000, b"y" * (size - 600_001), b"z")
    status = ask(proxy, "PUT", chunks=chunks)[0]["status"]
    assert (len(proxy.times), status) == (attempts, 200 if attempts == 2 else 503)
    assert proxy.bodies == [b"".join(chunks)] * attempts


def test_an_answer_that_has_begun_is_not_begun_again():
    class Breaks(Proxy):
        async def __call__(self, scope, receive, send):
            if scope["path"] == "/-/healthz":
                return await super().__call__(scope, receive, send)
            self.times.append(now())
            return await send({"type": "http.response.start", "status": 200, "headers": []})

    proxy = Breaks()
    assert len(ask(proxy)) == 1
    assert len(proxy.times) == 1


def test_for_a_client_that_has_gone_nothing_is_repeated_or_answered():
    proxy = Proxy(DIES, 200)
    assert ask(proxy, chunks=(b"", None)[1:]) == []
    assert proxy.bodies == [None]


def test_a_proxy_that_does_not_know_its_routes_yet_is_asked_again_and_again():
    proxy = Proxy(200, health=[404, 503, 200])
    assert ask(proxy, "POST", chunks=(b"body",))[0]["status"] == 200
    assert proxy.times == [0.1]
    assert proxy.bodies == [b"body"]
    empty = {"type": "http.request", "body": b"", "more_body": False}
    assert proxy.checks == [(at / 20, "GET", b"/-/healthz", b"", empty) for at in range(3)]


def test_it_is_asked_for_ten_seconds_at_most():
    proxy = Proxy(404, health=[404])
    assert ask(proxy)[0]["status"] == 404
    assert proxy.times == [10.0]
    assert len(proxy.checks) == 200


def test_once_it_knows_them_it_is_not_asked_again():
    async def three(entrance) -> list[list[dict]]:
        together = await asyncio.gather(one_request(entrance), one_request(entrance))
        return [*together, await one_request(entrance)]

    proxy = Proxy(200, health=[404, 404, 404, 404, 200, 503])
    with asyncio.Runner(loop_factory=Clock) as runner:
        answers = runner.run(three(RetryMiddleware(proxy)))
    assert [answer[0]["status"] for answer in answers] == [200, 200, 200]
    # Both asked at 0 and 0.05 s; at 0.1 s the first was told, and the second with it.
    assert [at for at, *_ in proxy.checks] == [0.0, 0.0, 0.05, 0.05, 0.1]
    assert max(proxy.times) == 0.1


def test_whoever_asks_for_the_proxys_health_gets_it_as_it_is():
    proxy = Proxy(200, health=[404])
    assert ask(proxy, path="/-/healthz")[0]["status"] == 404
    assert len(proxy.checks) == 1


def test_what_is_no_request_goes_through_untouched():
    seen = []

    async def app(*connection) -> None:
        seen.append(connection)

    connection = ({"type": "lifespan"}, object(), object())
    asyncio.run(RetryMiddleware(app)(*connection))
    assert seen == [connection]


def test_ray_serves_proxy_is_given_this_middleware_alone():
    (middleware,) = middlewares()
    assert middleware.cls is RetryMiddleware
