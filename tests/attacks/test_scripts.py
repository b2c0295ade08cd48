"""Markup in every text that reaches a page: a real browser shows it as text and runs none of it."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from apps.customer_service.data import Article
from apps.customer_service.ui import _sources
from apps.customer_service.views import ChatTurn
from core.platform.auth.access import COOKIE
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
