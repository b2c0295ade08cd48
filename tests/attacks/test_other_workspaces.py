"""Whoever may use one app finds the others closed, whichever way they knock."""

import pytest
from playwright.sync_api import expect

from tests.attacks.conftest import log_in
from tests.browser import needs_browser

pytestmark = pytest.mark.slow

ASKED = {"model": "steer-support", "messages": [{"role": "user", "content": "Where is my order?"}]}


@pytest.fixture(scope="module")
def dora(guarded):
    """An agent of the monitor's alone."""
    with guarded.client("dora") as client:
        yield client


def test_their_own_app_is_open(dora):
    assert dora.get("/v1/news/alerts").status_code == 200
    assert dora.get("/news").status_code == 200
    assert join(dora, "read_headline", ["Acme is bankrupt", ""]) == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/support/articles",
        "/v1/support/conversations",
        "/v1/recommender/users",
        "/support",
        "/support/",
        "/recommender",
    ],
)
def test_routes_and_pages_of_others_are_closed(dora, carol, path):
    assert carol.get(path, follow_redirects=True).status_code == 200
    assert dora.get(path).status_code == 403


def test_the_bot_of_another_app_is_no_model_of_theirs(dora, carol):
    assert [each["id"] for each in carol.get("/v1/models").json()["data"]] == ["steer-support"]
    assert dora.get("/v1/models").json()["data"] == []
    assert dora.post("/v1/chat/completions", json=ASKED).status_code == 404


def test_events_of_other_pages_are_refused(dora, carol):
    assert join(carol, "ask_support", ["Where is my order?"]) == 200
    assert join(dora, "ask_support", ["Where is my order?"]) == 403
    assert join(dora, "recommend_items", ["a comedy"]) == 403


@needs_browser
@pytest.mark.parametrize(
    ("name", "apps"),
    [
        ("dora", ["Finance monitor"]),
        ("carol", ["Customer service", "Finance monitor", "Recommender"]),
    ],
)
def test_pages_name_the_apps_that_are_theirs(browser, guarded, name, apps):
    context = browser.new_context(locale="en-GB", base_url=guarded.address)
    page = context.new_page()
    page.goto("/")
    log_in(page, name)
    expect(page.locator(".steer-card h2")).to_have_text(apps)
    expect(page.locator(".steer-navigation a")).to_have_text(["Start", *apps])
    page.get_by_role("link", name="Finance monitor").click()
    expect(page.locator(".steer-here")).to_have_text("Finance monitor")
    expect(page.locator(".steer-navigation a")).to_have_text(["Start", *apps])
    context.close()


def join(client, tool: str, data: list[str]) -> int:
    """Status of an event that calls a tool."""
    known = client.get("/config").json()["dependencies"]
    number = next(each["id"] for each in known if each["api_name"] == tool)
    body = {"data": data, "fn_index": number, "session_hash": "knocking"}
    return client.post("/gradio_api/queue/join", json=body).status_code
