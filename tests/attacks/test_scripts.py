"""Markup in every text that reaches a page: a real browser shows it as text and runs none of it."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import quote

import gradio as gr
import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from apps.customer_service.data import Article
from apps.customer_service.ui import _sources
from apps.customer_service.views import ChatTurn
from apps.recommender.cards import card, history_strip
from apps.recommender.data import Item
from apps.recommender.explanations import Reason
from apps.recommender.model import Recommended
from core.platform.auth.access import COOKIE
from core.platform.pages.task_app import Decided
from core.platform.pages.task_page import build
from tests.attacks.conftest import PASSWORD
from tests.attacks.test_guessing import Known, listening
from tests.browser import needs_browser
from tests.serving.test_api import surge

pytestmark = [pytest.mark.slow, needs_browser]

IMAGE = "<img src=x onerror=alert(1)>"
MARKUP = f"{IMAGE}<script>alert(2)</script><svg onload=alert(3)><a href='javascript:alert(4)'>"


@pytest.fixture
def stranger(browser, guarded):
    """A page of a browser in which nobody has logged in; a script that opens a dialog fails the test."""
    context = browser.new_context(locale="en-GB", base_url=guarded.address)
    context.set_default_timeout(30_000)
    page = context.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield page
    page.wait_for_timeout(500)  # what an image's error would have started
    harmful = page.locator("script:text('alert('), [onerror], [onload], [href^='javascript:']").count()
    context.close()
    assert dialogs == []
    assert harmful == 0


@pytest.fixture
def page(stranger, guarded):
    """The same, with ann's session."""
    stranger.context.add_cookies([{"name": COOKIE, "value": guarded.cookie, "url": guarded.address}])
    return stranger


def typed(page: Page, box: str, text: str) -> None:
    field = page.locator(f"{box} textarea, {box} input").first
    field.fill(text)
    field.press("Enter")


def test_script_in_a_message_stays_text(page):
    page.goto("/support")
    typed(page, "#cs-message", f"{MARKUP} where is my order")
    expect(page.locator("#cs-chat")).to_contain_text(f"{MARKUP} where is my order")
    expect(page.locator("#cs-action")).to_contain_text("sure")
    page.get_by_role("button", name="Your conversations").click()
    expect(page.locator("#cs-conversations a").first).to_contain_text(IMAGE)


def test_script_in_an_article_stays_text(stranger):
    source = Article(id="a1", title=f"{MARKUP} title", body=f"{MARKUP} body", intent="orders")
    reply = ChatTurn(role="assistant", text="", time=datetime.now(UTC), action="answer", sources=[source])
    stranger.goto("/login")
    stranger.evaluate("text => { document.body.innerHTML = text }", _sources(reply, None))
    expect(stranger.locator("body")).to_contain_text(f"{MARKUP} title")
    expect(stranger.locator("body")).to_contain_text(f"{MARKUP} body")


def test_script_in_a_headline_stays_text(page):
    page.goto("/news")
    typed(page, "#fin-headline", f"{MARKUP} profit halves")
    expect(page.locator("#fin-label")).to_contain_text(MARKUP)


def test_script_in_an_uploaded_feed_stays_text(page):
    lines = surge(IMAGE)
    lines.insert(0, {**lines[0], "key": "markup", "headline": MARKUP})
    lines.insert(1, {"time": IMAGE, "company": IMAGE, "headline": IMAGE})
    content = "\n".join([*map(json.dumps, lines), f'{IMAGE}"'])
    page.goto("/news")
    feed = {"name": "feed.jsonl", "mimeType": "application/json", "buffer": content.encode()}
    expect(page.locator("#fin-stream h4")).to_be_visible()
    page.locator("#fin-mode").get_by_text("Replay", exact=True).click()
    expect(page.locator("#fin-replay")).to_be_visible(timeout=60_000)
    page.locator("#fin-replay input[type=file]").set_input_files([feed])
    expect(page.locator("#fin-stream")).to_contain_text(MARKUP)
    expect(page.locator("#fin-watchlist")).to_contain_text(IMAGE)
    expect(page.locator("#fin-alerts")).to_contain_text(IMAGE)


def test_script_in_wishes_and_searches_stays_text(page):
    page.goto("/recommender")
    typed(page, "#rec-taste", f"space {MARKUP}")
    expect(page.locator("#rec-status")).to_contain_text(IMAGE)
    typed(page, "#rec-search", MARKUP)
    expect(page.get_by_text(IMAGE).last).to_be_visible()


def test_script_in_the_choice_of_a_user_stays_text(page):
    page.goto("/recommender")
    page.get_by_role("button", name="Try it as somebody else").click()
    typed(page, "#rec-user", IMAGE)
    expect(page.get_by_text(IMAGE).first).to_be_visible()


def test_script_in_the_login_page_stays_text(stranger):
    hidden = quote(f'/"><script>alert(5)</script>{MARKUP}')
    stranger.goto(f"/login?next={hidden}")
    expect(stranger.locator("input[name=next]")).to_have_count(1)
    stranger.locator("input[name=name]").fill(MARKUP[:80])
    stranger.locator("input[name=password]").fill(MARKUP)
    stranger.locator("button").click()
    expect(stranger.get_by_role("alert")).to_be_visible()


def test_script_in_an_address_stays_text(page):
    page.goto(f"/support?{quote(MARKUP)}#{quote(MARKUP)}")
    expect(page.locator("#cs-message")).to_be_visible()
    page.goto(f"/support?conversation={quote(MARKUP)}")
    expect(page.get_by_text("There is no such conversation of yours")).to_be_visible()
    page.goto(f"/{quote(MARKUP, safe='')}")
    expect(page.locator("body")).not_to_be_empty()


def test_script_in_a_workspaces_files_stays_text(stranger, guarded):
    form = {"name": "root", "password": PASSWORD}
    cookie = httpx.post(f"{guarded.address}/login", data=form, timeout=60).cookies[COOKIE]
    stranger.context.add_cookies([{"name": COOKIE, "value": cookie, "url": guarded.address}])
    stranger.goto("/workspaces")
    stranger.get_by_role("button", name="New workspace").click()
    stranger.get_by_label("finance_monitor").check()
    typed(stranger, "#ws-name", "scripts")
    typed(stranger, "#ws-title", MARKUP[:80])
    stranger.get_by_label("Begin with a small example").uncheck()
    stranger.locator("#ws-create").click()
    expect(stranger).to_have_url(re.compile("name=scripts"))
    expect(stranger.get_by_label("watchlist: Companies")).to_be_checked()
    content = f"id,name,{IMAGE}\n1,{IMAGE},{MARKUP}\n1,{IMAGE},\n,,{IMAGE}\n"
    file = {"name": f"{IMAGE}.csv", "mimeType": "text/csv", "buffer": content.encode()}
    stranger.locator("#ws-files input[type=file]").set_input_files([file])
    expect(stranger.locator("#ws-preview th").last).to_have_text(IMAGE)
    expect(stranger.locator("#ws-preview td", has_text=MARKUP)).to_be_visible()
    stranger.locator("#ws-field-1 input").click()
    expect(stranger.get_by_role("option", name=IMAGE).first).to_be_visible()
    stranger.keyboard.press("Escape")
    stranger.locator("#ws-check_now").click()
    expect(stranger.locator("#ws-report")).to_contain_text("watchlist")


class Decides:
    """Stands for the service of a task one of whose actions is named in markup."""

    async def decide(self, principal, inputs):
        return "1", Decided(MARKUP, 1.0, 0.5)


@pytest.fixture
def own_task():
    """Address of the page of such a task."""
    with gr.Blocks() as blocks:
        build(Decides())
    app = gr.mount_gradio_app(FastAPI(), blocks, path="")
    app.add_middleware(Known)
    with listening(app, "httptools") as port:
        yield f"http://127.0.0.1:{port}/"


def test_script_in_an_own_tasks_action_and_state_stays_text(own_task, stranger):
    stranger.set_extra_http_headers({"X-Name": "ann"})
    stranger.goto(own_task)
    stranger.locator("#task-inputs textarea").fill(f"{MARKUP} where is my bike")
    stranger.locator("#task-decide").click()
    expect(stranger.locator("#task-decision")).to_contain_text(MARKUP)
    stranger.locator("#task-inputs textarea").fill(f"{{{MARKUP}")
    stranger.locator("#task-decide").click()
    expect(stranger.get_by_text("That is no JSON object")).to_be_visible()


def _say(key: str, **values: object) -> str:
    return " ".join([key, *map(str, values.values())])


def test_script_in_a_shops_own_titles_stays_text(stranger):
    item = Item(0, "1", f"{MARKUP} title", tags=(IMAGE,))
    shown = Recommended(item, 0.5, Reason("liked", f"{MARKUP} other"))
    strip = history_strip(f"{MARKUP} likes", [item], [], 0, _say)
    stranger.goto("/login")
    stranger.evaluate("text => { document.body.innerHTML = text }", card(shown, _say) + strip)
    for text in ("title", "other", "likes"):
        expect(stranger.locator("body")).to_contain_text(f"{MARKUP} {text}")
