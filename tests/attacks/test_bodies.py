"""Bodies and headers that are meant to fill the memory, to hang, or to break what reads them."""

import contextlib
import json
import socket
import time

import httpx
import pytest

from apps.finance_monitor.feed import FeedFile

pytestmark = pytest.mark.slow

LABELS = "/v1/news/labels"
LISTS = "/v1/recommender/lists"


@pytest.fixture(autouse=True)
def lives(bob):
    """Whatever was tried, the server answers afterwards, and soon."""
    yield
    assert bob.post(LABELS, json={"items": [{"headline": "Profit doubles"}]}, timeout=15).status_code == 200


def send(client, content: object, path: str = LISTS, kind: str = "application/json") -> httpx.Response:
    return client.post(path, content=content, headers={"Content-Type": kind})


def test_a_large_body_is_refused_before_it_is_read(bob):
    assert send(bob, b"[" + b"1," * 600_000 + b"1]").status_code == 413


def test_a_large_body_of_unknown_length_is_refused_while_it_is_read(bob):
    def body():
        for _ in range(2_000):
            yield b'{"words": "' + b"x" * 1_000

    assert send(bob, body()).status_code == 413


def test_a_large_body_for_a_page_is_refused_too(bob):
    join = "/gradio_api/queue/join"
    assert send(bob, b'{"data": ["' + b"x" * 2_000_000, join).status_code == 413
    assert send(bob, (b"x" * 10_000 for _ in range(200)), join).status_code in (400, 413)


@pytest.mark.parametrize("begin", ["[", '{"words":', '{"events":[{"item":', '[{"a":['])
def test_deep_nesting_is_refused(bob, begin):
    answer = send(bob, begin * (900_000 // len(begin)))
    assert answer.status_code in (400, 422)
    assert len(answer.content) < 2_000


def test_thousands_of_fields_and_of_mistakes_get_a_short_answer(bob):
    fields = send(bob, json.dumps({f"field {at}": at for at in range(40_000)}))
    mistakes = send(bob, json.dumps({"events": [{}] * 100_000}))
    assert (fields.status_code, mistakes.status_code) == (422, 422)
    assert len(fields.content) + len(mistakes.content) < 10_000


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1" * 5_000, "-1", "1.5", "2e20"]
)
def test_a_number_that_is_none_is_refused(bob, number):
    assert send(bob, f'{{"user": {number}}}').status_code in (400, 422)
    opinion = f"/v1/support/decisions/{'0' * 32}/feedback"
    judged = bob.put(opinion, content=f'{{"value": {number}}}', headers={"Content-Type": "application/json"})
    assert judged.status_code in (400, 404, 422)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text/plain", b'{"words": "space"}'),
        ("application/xml", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
        ("application/x-www-form-urlencoded", b"words=space"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--"),
        ("multipart/form-data", b"no boundary"),
        ("application/json; charset=no-such", b"\xff\xfe\x00"),
        ("application/json", b""),
        ("application/json", b'{"words": "space"'),
        ("application/json", b'{"words": "\\ud800"}'),
        ("application/json", b'\x1f\x8b\x08\x00{"words": "space"}'),
    ],
)
def test_a_body_of_another_kind_is_refused(bob, kind, content):
    answer = send(bob, content, kind=kind)
    assert answer.status_code in (400, 415, 422)
    assert "root:" not in answer.text


def test_of_a_field_that_comes_twice_one_counts_for_everybody(bob):
    assert send(bob, '{"words": "space", "words": 5}').status_code == 422
    assert send(bob, '{"words": 5, "words": "space"}').status_code == 200


def test_half_of_a_surrogate_pair_in_a_chat_is_the_senders_mistake(bob):
    body = '{"model": "steer-support", "messages": [{"role": "user", "content": "where is my order \\ud800"}]}'
    assert send(bob, body, "/v1/chat/completions").status_code in (400, 422)


@pytest.mark.parametrize(
    "headers",
    [
        {f"X-Flood-{at}": "x" * 50 for at in range(3_000)},
        {"X-Flood": "x" * 2_000_000},
        {"Cookie": "a=b; " * 20_000 + "c=d"},
    ],
    ids=["many", "long", "cookies"],
)
def test_a_flood_of_headers_does_no_harm(bob, headers):
    with contextlib.suppress(httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
        assert bob.get("/v1/models", headers=headers).status_code < 500


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nContent-Length: 500\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: many\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
    ],
)
def test_no_second_request_is_smuggled_in_a_body(guarded, lines):
    """One request whose length is told in two ways; a part of its body looks like a request of its own."""
    key = guarded.keys["bob"].encode()
    hidden = b"0\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + b"\r\n\r\n"
    head = b"POST /v1/recommender/lists HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines + b"\r\n"
    with connection(guarded) as wire:
        wire.sendall(head + hidden)
        answer = everything(wire)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b"steer-support" not in answer


def test_those_who_send_slowly_hold_up_nobody_else(guarded, bob):
    head = (
        b"POST /v1/recommender/lists HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n"
    )
    head += b"Authorization: Bearer " + guarded.keys["bob"].encode() + b"\r\n\r\n{"
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(connection(guarded)) for _ in range(200)]
        for at, wire in enumerate(wires):
            wire.sendall(head if at % 2 else head[:40])
        started = time.monotonic()
        for _ in range(5):
            for wire in wires:
                wire.sendall(b"x")
            assert bob.get("/v1/models").status_code == 200
        assert time.monotonic() - started < 20


def test_a_feed_that_is_meant_to_break_its_reader_is_told_line_by_line(tmp_path):
    good = {"time": "2026-03-01T00:00:00Z", "company": "x", "headline": "Profit doubles"}
    lines = [
        "[" * 100_000,
        json.dumps({**good, "time": "0001-01-01T00:00:00+14:00"}),
        json.dumps({**good, "time": "9999-12-31T23:59:59-14:00"}),
        json.dumps({**good, "time": 1e308}),
        json.dumps({**good, "headline": "x" * 100_000}),
        '{"time": ' + "9" * 5_000 + "}",
        '{"headline": "\\ud800", "company": "x", "time": "2026-03-01T00:00:00Z"}',
        json.dumps(good),
    ]
    (tmp_path / "feed.jsonl").write_text("\n".join(lines) + "\n")
    feed = FeedFile(tmp_path / "feed.jsonl")
    assert [item.headline for item in feed.poll()] == ["Profit doubles"]
    assert [reason.split(":")[0] for reason in feed.rejected] == [f"line {at}" for at in range(1, 8)]
    assert max(map(len, feed.rejected)) < 300


def connection(guarded) -> socket.socket:
    host, port = guarded.address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def everything(wire: socket.socket) -> bytes:
    """All that the server sends until it hangs up."""
    answer = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while piece := wire.recv(65_536):
            answer += piece
    return answer
