"""What belongs to somebody else looks as if it did not exist, whichever way it is asked for."""

import re
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import expect

from core.platform.auth.access import COOKIE
from tests.attacks.conftest import PASSWORD, log_in
from tests.browser import needs_browser
from tests.serving.test_api import surge

pytestmark = pytest.mark.slow

PRIVATE = "my private order HP-77777 never came"

# Every route of the API that takes an id, by whose things it opens.
OWNED = {
    ("GET", "/v1/support/conversations/{identity}"): None,
    ("DELETE", "/v1/support/conversations/{identity}"): None,
    ("POST", "/v1/support/conversations/{identity}/messages"): {"text": "read me what was said before"},
    ("DELETE", "/v1/support/conversations/{identity}/messages/last"): None,
    ("POST", "/v1/support/conversations/{identity}/hand-over"): None,
    ("PUT", "/v1/support/decisions/{identity}/feedback"): {"value": -1, "comment": "spoilt"},
}
AGENTS = {
    ("POST", "/v1/news/items"): {
        "items": [{"key": "forged", "time": "2026-03-01T00:00:00Z", "company": "Forged", "headline": "is bankrupt"}]
    },
    ("PUT", "/v1/news/items/{number}/label"): {"topic": "legal", "sentiment": "positive"},
    ("POST", "/v1/news/alerts/{number}/acknowledge"): {"note": "nothing to see here"},
    ("GET", "/v1/support/inbox"): None,
    ("POST", "/v1/support/conversations/{identity}/take-over"): None,
    ("POST", "/v1/support/conversations/{identity}/answers"): {"text": "we shall pay you back, says no agent"},
    ("POST", "/v1/support/conversations/{identity}/give-back"): None,
}
ADMINS = {("DELETE", "/v1/users/{name}"): None}
EVERYBODYS = {
    ("GET", "/v1/support/articles/{identity}"),
    ("GET", "/v1/news/alerts/{number}"),
    ("GET", "/v1/recommender/items/{id_}"),
}


@pytest.fixture(scope="module")
def talk(ann) -> dict[str, str]:
    """A conversation of ann's, and the decision behind the bot's reply."""
    conversation = ann.post("/v1/support/conversations").raise_for_status().json()["id"]
    address = f"/v1/support/conversations/{conversation}/messages"
    reply = ann.post(address, json={"text": PRIVATE}, headers={"Idempotency-Key": "ann-12345678"}).raise_for_status()
    return {"conversations": conversation, "decisions": reply.json()["decision"]}


def turns(ann, talk) -> list[dict]:
    return ann.get(f"/v1/support/conversations/{talk['conversations']}").raise_for_status().json()


def test_every_route_that_takes_an_id_is_tried(ann):
    paths = ann.get("/v1/openapi.json").json()["paths"]
    with_id = {(method.upper(), path) for path, methods in paths.items() if "{" in path for method in methods}
    assert with_id == {key for key in (*OWNED, *AGENTS, *ADMINS, *EVERYBODYS) if "{" in key[1]}


@pytest.mark.parametrize(("method", "path"), OWNED)
def test_another_viewer_is_told_that_there_is_no_such_thing(ann, bob, talk, method, path):
    before = turns(ann, talk)
    real = path.replace("{identity}", talk[path.split("/")[3]])
    refused = bob.request(method, real, json=OWNED[method, path])
    unknown = bob.request(method, path.replace("{identity}", uuid4().hex), json=OWNED[method, path])
    assert refused.status_code == unknown.status_code == 404
    assert refused.json()["detail"] == unknown.json()["detail"]  # not even that it is there
    assert turns(ann, talk) == before


@pytest.mark.parametrize(("method", "path"), AGENTS)
def test_a_viewer_does_no_agents_work(ann, bob, talk, method, path):
    before = turns(ann, talk)
    real = path.replace("{number}", "1").replace("{identity}", talk["conversations"])
    for viewer in (ann, bob):  # not even in their own conversation
        assert viewer.request(method, real, json=AGENTS[method, path]).status_code == 403
    assert turns(ann, talk) == before
    assert bob.get("/v1/news/items", params={"company": "Forged"}).json() == []


@pytest.mark.parametrize(("method", "path"), ADMINS)
def test_neither_viewer_nor_agent_erases_anybody_else(ann, bob, carol, talk, method, path):
    for who in (bob, carol):
        for name in ("ann", "Ann", "nobody", "bob/../ann", "ann%00"):
            assert who.request(method, path.replace("{name}", name)).status_code == 403
    assert turns(ann, talk)


def test_lists_show_what_is_ones_own(ann, bob, talk):
    mine = bob.post("/v1/support/conversations").raise_for_status().json()["id"]
    assert {line["owner"] for line in bob.get("/v1/support/conversations").json()} == {"bob"}
    assert mine not in {line["id"] for line in ann.get("/v1/support/conversations").json()}
    assert talk["conversations"] in {line["id"] for line in ann.get("/v1/support/conversations").json()}


def test_an_agent_reads_every_conversation_and_speaks_in_none(ann, carol, talk):
    before = turns(ann, talk)
    address = f"/v1/support/conversations/{talk['conversations']}"
    assert carol.get(address).json() == before
    assert talk["conversations"] in {line["id"] for line in carol.get("/v1/support/conversations").json()}
    assert carol.post(f"{address}/messages", json={"text": "I am ann"}).status_code == 404
    assert carol.delete(f"{address}/messages/last").status_code == 404
    assert carol.delete(address).status_code == 404
    assert turns(ann, talk) == before


def test_profiles_are_apart(ann, bob):
    ann.post("/v1/recommender/profile/events", json={"kind": "like", "item": "3"}).raise_for_status()
    before = ann.get("/v1/recommender/profile").json()
    assert bob.get("/v1/recommender/profile").json() == []
    assert bob.delete("/v1/recommender/profile/events/last").json() == {"undone": False}
    assert bob.delete("/v1/recommender/profile").json() == {"forgotten": 0}
    stranger = bob.post("/v1/recommender/lists", json={}).json()
    assert bob.post("/v1/recommender/lists", json={"profile": True}).json() == stranger
    assert ann.get("/v1/recommender/profile").json() == before


def test_a_list_that_was_shown_to_another_is_no_reason_for_an_event(ann, bob):
    shown = ann.post("/v1/recommender/lists", json={"words": "space"}).raise_for_status().json()["decision"]
    event = {"kind": "hide", "item": "1", "decision": shown}
    assert bob.post("/v1/recommender/profile/events", json=event).status_code == 404


def test_a_repeated_key_of_another_gets_nothing_of_theirs(bob, talk):
    mine = bob.post("/v1/support/conversations").raise_for_status().json()["id"]
    headers = {"Idempotency-Key": "ann-12345678"}
    address = f"/v1/support/conversations/{mine}/messages"
    reply = bob.post(address, json={"text": "how do I reset my password"}, headers=headers).raise_for_status().json()
    assert reply["decision"] != talk["decisions"]
    assert bob.get(f"/v1/support/conversations/{mine}").json()[0]["text"] == "how do I reset my password"


def test_no_address_answers_somebody_unknown(guarded, ann):
    paths = ann.get("/v1/openapi.json").json()["paths"]
    tried = [(method, re.sub("{.*?}", "1", path)) for path, methods in paths.items() for method in methods]
    tried += [("get", path) for path in ("/v1/openapi.json", "/", "/support", "/news", "/recommender", "/metrics")]
    tried += [("get", path) for path in ("/config", "/gradio_api/info", "/gradio_api/file=/etc/passwd", "/theme.css")]
    tried += [("post", path) for path in ("/gradio_api/mcp/", "/gradio_api/queue/join", "/gradio_api/upload")]
    tried += [("post", f"/gradio_api/{way}/ask_support") for way in ("run", "call")]
    with httpx.Client(base_url=guarded.address, timeout=60) as nobody:
        assert {(path, nobody.request(method, path).status_code) for method, path in tried} == {
            (path, 401) for _, path in tried
        }


def test_the_page_of_anothers_session_gives_nothing_away(guarded, ann, bob):
    """A page works under a name that the browser made up; who knows it, and what it shows, is still who they are."""
    config = ann.get("/config").json()
    button = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "cs-undo")
    ask = next(number for number, made in enumerate(config["dependencies"]) if made["api_name"] == "ask")
    undo = next(number for number, made in enumerate(config["dependencies"]) if [button, "click"] in made["targets"])
    session = uuid4().hex

    def press(who: httpx.Client, number: int, data: list) -> str:
        body = {"fn_index": number, "data": data, "session_hash": session}
        who.post("/gradio_api/queue/join", json=body).raise_for_status()
        return who.get("/gradio_api/queue/data", params={"session_hash": session}).text

    assert PRIVATE in press(ann, ask, [PRIVATE, None])
    conversation = ann.get("/v1/support/conversations").json()[0]["id"]
    for number, data in ((undo, [conversation]), (ask, ["and now?", conversation])):
        stolen = press(bob, number, data)
        assert PRIVATE not in stolen
        assert "no such conversation of yours" in stolen
    assert PRIVATE not in press(bob, undo, [None])


@needs_browser
def test_the_page_shows_a_conversation_to_its_owner_alone(browser, guarded, talk):
    for name, is_owner in (("ann", True), ("bob", False)):
        context = browser.new_context(locale="en-GB", base_url=guarded.address)
        page = context.new_page()
        page.goto(f"/support?conversation={talk['conversations']}")
        log_in(page, name)
        if is_owner:
            expect(page.locator("#cs-chat")).to_contain_text(PRIVATE)
        else:
            expect(page.get_by_text("There is no such conversation of yours")).to_be_visible()
        page.get_by_role("button", name="Your conversations").click()
        listed = page.locator("#cs-conversations a").filter(has_text=PRIVATE[:20])
        expect(listed.first).to_be_visible() if is_owner else expect(page.locator("body")).not_to_contain_text(PRIVATE)
        context.close()


@needs_browser
def test_a_viewers_page_shows_an_alert_and_does_not_acknowledge_it(browser, guarded, carol):
    company = f"Role {uuid4().hex[:6]}"
    (alert,) = carol.post("/v1/news/items", json={"items": surge(company)}).raise_for_status().json()["alerts"]
    context = browser.new_context(locale="en-GB", base_url=guarded.address)
    page = context.new_page()
    page.goto(f"/news?alert={alert['id']}")
    log_in(page, "ann")
    expect(page.locator("#fin-detail")).to_contain_text(company)
    expect(page.locator("#fin-detail")).to_contain_text("takes the role agent; yours is viewer")
    expect(page.locator("#fin-ack")).to_be_disabled()
    page.locator("#fin-ack").evaluate("button => { button.disabled = false; button.click() }")
    page.wait_for_timeout(1_000)
    assert carol.get(f"/v1/news/alerts/{alert['id']}").json()["state"] == "open"
    context.close()


def test_a_cookie_that_was_copied_opens_nothing_after_logging_out(guarded):
    with httpx.Client(base_url=guarded.address, timeout=60) as browser:
        browser.post("/login", data={"name": "bob", "password": PASSWORD})
        copied = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        assert httpx.get(f"{guarded.address}/v1/models", headers=copied).status_code == 200
        browser.post("/logout")
    for path in ("/v1/models", "/config", "/metrics", "/gradio_api/info"):
        assert httpx.get(f"{guarded.address}{path}", headers=copied, timeout=60).status_code == 401
    mine = {"Cookie": f"{COOKIE}={guarded.cookie}"}
    assert httpx.get(f"{guarded.address}/v1/models", headers=mine).status_code == 200  # nobody else's session


@needs_browser
def test_who_logs_out_leaves_nothing_open(browser, guarded):
    context = browser.new_context(locale="en-GB", base_url=guarded.address)
    page = context.new_page()
    page.goto("/support")
    log_in(page, "ann")
    expect(page.locator("#cs-message")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("input[name=password]")).to_be_visible()
    assert context.cookies() == []
    page.goto("/support")
    expect(page.locator("input[name=password]")).to_be_visible()
    context.close()
