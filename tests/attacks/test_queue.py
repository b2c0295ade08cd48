"""The queue in which the pages' events wait belongs to everybody."""

import threading
from collections.abc import Iterator
from uuid import uuid4

import gradio as gr
import httpx
import pytest
from fastapi import FastAPI

from core.platform.http.limits import Limits
from core.platform.http.problems import answer_with_problems
from core.platform.pages.queue_share import share_queue
from core.platform.store.accounts import LOCAL
from tests.attacks.test_guessing import Known, listening

pytestmark = pytest.mark.slow

LIMITS = Limits(events=4, unread=20)


class Desk:
    """A page with a button that waits until it is let go, and one that answers at once, on a port of this machine."""

    def __init__(self) -> None:
        self.go, self.worked = threading.Event(), 0
        with gr.Blocks() as self.blocks:
            gr.Button().click(self.wait, None, None, api_name="wait", concurrency_limit=None)
            gr.Button().click(self.answer, None, None, api_name="answer")
        self.blocks.queue(max_size=256, api_open=False)
        share_queue(self.blocks, LIMITS, {})
        app = FastAPI()
        answer_with_problems(app)
        self.app = gr.mount_gradio_app(app, self.blocks, path="")
        self.app.add_middleware(Known)
        self.address = ""

    def wait(self) -> None:
        self.go.wait(60)

    def answer(self) -> None:
        self.worked += 1

    def join(self, name: str, function: str = "wait", session: str = "", address: str = "127.0.0.1") -> httpx.Response:
        number = next(at for at, made in self.blocks.fns.items() if made.api_name == function)
        body = {"fn_index": number, "data": [], "session_hash": session or uuid4().hex}
        with httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=60) as client:
            return client.post(f"{self.address}/gradio_api/queue/join", json=body, headers={"X-Name": name})

    def answers(self, name: str, session: str) -> str:
        there, asked = f"{self.address}/gradio_api/queue/data", {"session_hash": session}
        return httpx.get(there, params=asked, headers={"X-Name": name}, timeout=60).text


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    with listening(desk.app, "httptools") as port:
        desk.address = f"http://127.0.0.1:{port}"
        yield desk
        desk.go.set()


def test_nobody_fills_the_queue_for_others(desk):
    joined = [desk.join("bob") for _ in range(10)]
    assert [answer.status_code for answer in joined] == [200] * 4 + [429] * 6
    assert joined[-1].headers["retry-after"] == "10"
    assert "wait or run already" in joined[-1].json()["detail"]
    session = uuid4().hex
    assert desk.join("ann", "answer", session).status_code == 200
    assert '"success":true' in desk.answers("ann", session)
    desk.go.set()
    session = uuid4().hex
    while (again := desk.join("bob", "answer", session)).status_code == 429:
        pass
    assert again.status_code == 200
    assert '"success":true' in desk.answers("bob", session)


def test_without_accounts_no_address_fills_the_queue_for_others(desk):
    joined = [desk.join(LOCAL, address="127.0.0.5").status_code for _ in range(6)]
    assert joined == [200] * 4 + [429] * 2
    session = uuid4().hex
    assert desk.join(LOCAL, "answer", session, "127.0.0.6").status_code == 200
    assert '"success":true' in desk.answers(LOCAL, session)


def test_who_changes_addresses_has_one_share_of_the_queue(desk):
    joined = [desk.join("bob", address=f"127.0.0.{at}").status_code for at in range(5, 11)]
    assert joined == [200] * 4 + [429] * 2


def test_no_way_of_gradios_leads_past_the_queue(desk):
    for way in ("run/wait", "api/wait", "run/wait/"):
        refused = httpx.post(f"{desk.address}/gradio_api/{way}", json={"data": []}, headers={"X-Name": "bob"})
        assert refused.status_code == 404, way
    called = [
        httpx.post(f"{desk.address}/gradio_api/{way}/wait", json={"data": []}, headers={"X-Name": "bob"}).status_code
        for way in ["call"] * 8
    ]
    assert called == [200] * 4 + [429] * 4


def test_answers_that_nobody_fetches_are_not_kept_for_ever(desk):
    kept = desk.blocks._queue.pending_messages_per_session
    hers = uuid4().hex
    assert desk.join("ann", "answer", hers).status_code == 200
    for _ in range(40):
        while desk.join("bob", "answer").status_code == 429:
            pass
    desk.go.set()
    assert sum(messages.qsize() for messages in kept.values()) < 60  # of more than 120 that were sent
    assert '"success":true' in desk.answers("ann", hers)
