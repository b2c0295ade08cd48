"""A server remembers what each visitor of its pages did, and little else of them."""

import gc
import json
from collections.abc import Iterator
from uuid import uuid4

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from core.platform.pages.sessions import remember_little
from core.platform.server.application import Serving, create_app
from core.platform.store.database import open_store, sqlite_url

COMPONENTS = 500


class Counter:
    """A large page with a button that counts for each visitor, and a choice whose options it widens."""

    def __init__(self) -> None:
        with gr.Blocks() as self.blocks:
            count, choice = gr.State(0), gr.Dropdown(["0"])
            gr.Button().click(self.more, count, [count, choice], api_name="more")
            gr.Button().click(lambda chosen: chosen, choice, gr.Textbox(), api_name="choose")
            for _ in range(COMPONENTS):
                gr.Textbox()
        app = FastAPI()
        gr.mount_gradio_app(app, self.blocks, path="")
        remember_little(app, self.blocks)
        self.client = TestClient(app)

    @staticmethod
    def more(count: int) -> tuple[int, dict]:
        return count + 1, gr.update(choices=[f"{count + 1}"])

    def press(self, name: str, visitor: str, *values: object) -> str:
        return press(self.client, name, visitor, *values)


def press(client: TestClient, name: str, visitor: str, *values: object) -> str:
    """What a visitor's browser is told."""
    events = client.get("/config").raise_for_status().json()["dependencies"]
    number = next(each["id"] for each in events if each["api_name"] == name)
    body = {"fn_index": number, "data": values, "session_hash": visitor}
    client.post("/gradio_api/queue/join", json=body).raise_for_status()
    return client.get("/gradio_api/queue/data", params={"session_hash": visitor}).text


@pytest.fixture
def page() -> Iterator[Counter]:
    page = Counter()
    with page.client:
        yield page


def test_each_visitor_goes_on_where_they_were(page):
    for visitor in ("ann", "bob"):
        for count in (1, 2):
            page.press("more", visitor, None)
            assert f'"{count}"' in page.press("choose", visitor, f"{count}")
    assert '"success":false' in page.press("choose", "ann", "1")  # as each press takes the earlier option away


def test_a_visitor_costs_no_copy_of_the_page(page):
    page.press("more", "first", None)
    gc.collect()
    before, visitors = len(gc.get_objects()), 20
    for _ in range(visitors):
        page.press("more", uuid4().hex, None)
    gc.collect()
    assert (len(gc.get_objects()) - before) / visitors < COMPONENTS


def test_who_came_last_is_remembered_longest(page):
    page.blocks.state_holder.capacity = 3
    for visitor in ("ann", "bob", "cid", "ann", "dan"):
        page.press("more", visitor, None)
    assert '"success":true' in page.press("choose", "ann", "2")
    assert set(page.blocks.state_holder.session_data) == {"ann", "cid", "dan"}


def test_a_server_writes_its_visitors_pages_down_for_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # which the server sets; it is as before behind this test
    app = create_app([], tmp_path, open_store(sqlite_url(tmp_path / "steer.db")), Serving())
    with TestClient(app, base_url="http://localhost") as client:
        assert '"success":true' in press(client, "show", "ann")
        link = client.get("/gradio_api/deep_link", params={"session_hash": "ann"}).raise_for_status().json()
    [written] = tmp_path.rglob(f"{link}/state.json")
    assert json.loads(written.read_text()) == []
