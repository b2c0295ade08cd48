"""The inbox and the customer's chat, each in a real browser."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser import needs_browser
from tests.serving.test_pages import ask

pytestmark = [pytest.mark.slow, needs_browser]


def test_a_person_answers_from_the_inbox_and_gives_the_customer_back(browser, server, page):
    page.goto("/support")
    name = f"Order {uuid4().hex[:8]} is stuck"
    ask(page, name)
    expect(page.locator("#cs-chat")).to_contain_text(name)
    page.locator("#cs-person").click()
    expect(page.locator("#cs-action")).to_contain_text("handed over to a person")
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", base_url=server)
    desk = context.new_page()
    desk.goto("/support")
    desk.get_by_role("button", name=re.compile("Inbox: .* wait for a person")).click()
    desk.locator("#cs-inbox-lines a", has_text=name).press("Enter")
    expect(desk.locator("#cs-inbox-talk")).to_contain_text(name)
    desk.locator("#cs-inbox-text textarea").fill("<b>It</b> leaves our depot tonight.")
    desk.locator("#cs-inbox-send").click()
    expect(desk.locator("#cs-inbox-lines li", has_text=name)).to_contain_text("looks after it")
    # The customer's page shows it without being touched, and what they say goes to the person.
    expect(page.locator("#cs-chat")).to_contain_text("A colleague")
    expect(page.locator("#cs-chat")).to_contain_text("<b>It</b> leaves our depot tonight.")
    ask(page, "wonderful, by which carrier?")
    expect(page.locator("#cs-action")).to_contain_text("passed on to a person")
    expect(desk.locator("#cs-inbox-talk")).to_contain_text("by which carrier?")
    desk.locator("#cs-inbox-give").click()
    expect(desk.locator("#cs-inbox-take")).to_be_enabled()
    ask(page, "How do I reset my password?")
    expect(page.locator("#cs-action")).not_to_contain_text("passed on")
    context.close()
