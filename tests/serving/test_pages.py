"""A real browser on the real pages."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser import needs_browser

pytestmark = [pytest.mark.slow, needs_browser]


def ask(page: Page, question: str) -> None:
    box = page.locator("#cs-message textarea, #cs-message input").first
    box.fill(question)
    box.press("Enter")


def test_the_start_page_leads_to_every_app(page):
    page.goto("/")
    for path in ("support", "news", "recommender"):
        expect(page.locator(f"#open-{path}")).to_be_visible()
    monitor = page.locator("article", has_text="Finance monitor")
    expect(monitor).to_contain_text(re.compile("v0001 serves.* ago, made.* ago"))
    page.locator("#open-support").click()
    expect(page).to_have_url(re.compile("/support"))


def test_each_page_leads_to_the_others_by_keyboard(page):
    page.goto("/support")
    expect(page.locator("#cs-action")).to_contain_text("Ask something")  # until then the page is still being built
    page.get_by_role("link", name="Finance monitor").press("Enter")
    expect(page).to_have_url(re.compile("/news"))
    expect(page.locator("#fin-now")).to_contain_text("companies watched")
    expect(page.locator(".steer-here")).to_have_text("Finance monitor")


def test_a_question_is_answered_with_its_source(page):
    page.goto("/support")
    ask(page, "I forgot my password and the link to reset it never comes")
    expect(page.locator("#cs-action")).to_contain_text("answered from an article")
    expect(page.locator("#cs-sources")).to_contain_text("password")
    expect(page.locator("#cs-chat")).to_contain_text("I forgot my password")
    page.locator("#cs-undo").click()
    expect(page.locator("#cs-chat")).not_to_contain_text("I forgot my password")


def test_a_wish_for_a_person_is_always_obeyed(page):
    page.goto("/support")
    page.locator("#cs-person").click()
    expect(page.locator("#cs-action")).to_contain_text("handed over to a person")


def test_script_in_a_message_stays_text(page):
    page.goto("/support")
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    text = "<img src=x onerror=alert(1)><script>alert(2)</script> where is my order"
    ask(page, text)
    expect(page.locator("#cs-chat")).to_contain_text("<script>alert(2)</script>")
    assert alerts == []


def test_bad_messages_get_a_clear_answer_and_no_traceback(page):
    page.goto("/support")
    ask(page, "x" * 100_000)
    expect(page.get_by_text("please keep it under 4,000")).to_be_visible()
    ask(page, "   ")
    expect(page.get_by_text("Please type a message first")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("Traceback")


def test_another_window_begins_with_an_empty_chat(browser, server, page):
    page.goto("/support")
    ask(page, "my private order is HP-77777")
    expect(page.locator("#cs-chat")).to_contain_text("HP-77777")
    other = browser.new_context(base_url=server).new_page()
    other.goto("/support")
    expect(other.locator("#cs-action")).to_contain_text("Ask something")
    expect(other.locator("#cs-chat")).not_to_contain_text("HP-77777")
    other.context.close()


def test_a_conversation_survives_a_reload_and_goes_on(page):
    page.goto("/support")
    ask(page, "I forgot my password and the link to reset it never comes")
    expect(page).to_have_url(re.compile(r"\?conversation=[0-9a-f]{32}$"))
    page.reload()
    expect(page.locator("#cs-chat")).to_contain_text("I forgot my password")
    expect(page.locator("#cs-action")).to_contain_text("answered from an article")
    expect(page.locator("#cs-sources")).to_contain_text("password")
    ask(page, "can I talk to a real human being please")
    expect(page.locator("#cs-action")).to_contain_text("handed over to a person")
    page.locator("#cs-earlier summary").first.press("Enter")
    expect(page.locator("#cs-earlier")).to_contain_text("answered from an article")
    conversation = page.url.rpartition("=")[2]
    turns = page.request.get(f"/v1/support/conversations/{conversation}").json()
    assert [turn["action"] for turn in turns] == [None, "answer", None, "hand_over"]
    expect(page.locator("#cs-chat")).to_contain_text(turns[-1]["text"])


def test_an_old_conversation_is_found_opened_and_deleted_by_keyboard(page):
    page.goto("/support")
    ask(page, "how long do I have to send a lamp back")
    expect(page).to_have_url(re.compile("conversation="))
    conversation = page.url.rpartition("=")[2]
    page.locator("#cs-restart").press("Enter")
    expect(page.locator("#cs-chat")).not_to_contain_text("lamp")
    expect(page).to_have_url(re.compile("/support$"))
    page.get_by_role("button", name="Your conversations").press("Enter")
    line = page.locator("#cs-conversations li").filter(has=page.locator(f"[data-id='{conversation}']"))
    expect(line.locator("time")).to_have_text(re.compile("now|second|minute"))
    expect(line.locator("time")).to_have_attribute("title", re.compile(r"20\d\d"))
    line.get_by_role("link", name="how long do I have to send a lamp back").press("Enter")
    expect(page.locator("#cs-chat")).to_contain_text("lamp")
    expect(page).to_have_url(re.compile(f"conversation={conversation}$"))
    line.locator("summary").press("Enter")
    line.get_by_role("button", name="Delete for good").press("Enter")
    expect(line).to_have_count(0)
    expect(page.locator("#cs-chat")).not_to_contain_text("lamp")
    assert page.request.get(f"/v1/support/conversations/{conversation}").status == 404


def test_an_address_of_no_conversation_says_so_and_shows_an_empty_chat(page):
    page.goto(f"/support?conversation={'0' * 32}")
    expect(page.get_by_text("There is no such conversation of yours")).to_be_visible()
    expect(page.locator("#cs-action")).to_contain_text("Ask something")
    expect(page).to_have_url(re.compile("/support$"))


def push_surge(server: str, company: str) -> None:
    """A surge of bad news within the last hours, over HTTP."""
    headlines = [
        "sued over fraud", "under criminal investigation", "recalls faulty products after injuries",
        "cuts guidance, shares plunge", "chief financial officer resigns amid scandal", "faces bankruptcy petition",
        "loses its largest customer", "plant burns down, production halted",
    ]  # fmt: skip
    items = [
        {
            "key": f"{company}-{at}",
            "time": (datetime.now(UTC) - timedelta(hours=8 - at)).isoformat(),
            "company": company,
            "headline": f"{company} {text}",
        }
        for at, text in enumerate(headlines)
    ]
    httpx.post(f"{server}/v1/news/items", json={"items": items}, timeout=60).raise_for_status()


def test_a_pushed_headline_stands_on_an_open_page_and_its_alert_is_acknowledged_there(page, server):
    company = f"Omega {uuid4().hex[:6]}"
    page.goto("/news")
    expect(page.locator("#fin-now")).to_contain_text("companies watched")
    push_surge(server, company)
    expect(page.locator("#fin-stream")).to_contain_text(f"{company} plant burns down")
    expect(page.locator("#fin-watchlist")).to_contain_text(company)
    page.locator("#fin-alerts .fin-row", has_text=company).click()
    expect(page.locator("#fin-detail")).to_contain_text(re.compile(rf"{company}.*\d+ negative stories in \d+ h, usual"))
    note = page.locator("#fin-note textarea, #fin-note input").first
    note.fill("called the desk")
    push_surge(server, f"{company} too")
    expect(page.locator("#fin-stream")).to_contain_text(f"{company} too plant burns down")
    expect(note).to_have_value("called the desk")  # whatever arrives meanwhile
    page.locator("#fin-ack").click()
    expect(page.locator("#fin-detail")).to_contain_text("called the desk")
    expect(page.locator("#fin-ack")).to_be_hidden()
    (alert,) = (a for a in httpx.get(f"{server}/v1/news/alerts").json() if a["company"] == company)
    history = httpx.get(f"{server}/v1/news/alerts/{alert['id']}").json()["history"]
    steps = [("open", "monitor", ""), ("acknowledged", "local", "called the desk")]
    assert [(step["state"], step["who"], step["note"]) for step in history] == steps


def test_alerts_are_read_and_acknowledged_by_keys_which_are_letters_to_who_is_typing(page, server):
    push_surge(server, f"Kappa {uuid4().hex[:6]}")
    push_surge(server, other := f"Lambda {uuid4().hex[:6]}")
    page.goto("/news")
    rows, chosen = page.locator("#fin-alerts .fin-row"), page.locator("#fin-alerts .fin-here")
    expect(rows.filter(has_text=other)).to_be_visible()
    rows.first.click()
    expect(rows.first).to_have_class(re.compile("fin-here"))
    first = rows.first.inner_text().splitlines()[1]
    page.locator("#fin-note textarea, #fin-note input").first.press_sequentially("jke")
    expect(chosen).to_contain_text(first)
    page.locator("#fin-now").click()
    page.keyboard.press("j")
    expect(rows.nth(1)).to_have_class(re.compile("fin-here"))
    page.keyboard.press("k")
    expect(rows.first).to_have_class(re.compile("fin-here"))
    page.keyboard.press("e")
    expect(page.locator("#fin-detail")).to_contain_text("acknowledged")


def test_an_address_names_what_the_monitor_shows(page, server):
    company = f"Sigma {uuid4().hex[:6]}"
    push_surge(server, company)
    page.goto(f"/news?company={company}&sentiment=negative")
    expect(page.locator("#fin-stream .fin-row").first).to_contain_text(company)
    expect(page.locator("#fin-stream .fin-row").nth(2)).to_contain_text("negative")
    expect(page.locator("#fin-stream")).not_to_contain_text("neutral")
    page.locator("#fin-alerts .fin-row", has_text=company).click()
    expect(page).to_have_url(re.compile(r"company=Sigma.*alert=\d+"))


def test_a_replay_of_history_is_seen_by_nobody_else_and_stands_in_no_store(page, server):
    before = httpx.get(f"{server}/v1/news/items", params={"company": "corvane"}).json()
    page.goto("/news")
    page.locator("#fin-mode").get_by_text("Replay", exact=True).click()
    expect(page.locator("#fin-now")).to_contain_text("Replay of")
    expect(page.locator("#fin-stream")).to_contain_text(re.compile("negative|neutral|positive"))
    expect(page.locator("#fin-alerts .fin-row", has_text="Corvane")).to_be_visible(timeout=240_000)
    page.locator("#fin-pause").click()
    expect(page.locator("#fin-pause")).to_have_text("Resume")
    page.locator("#fin-mode").get_by_text("Live", exact=True).click()
    expect(page.locator("#fin-now")).to_contain_text("companies watched")
    assert httpx.get(f"{server}/v1/news/items", params={"company": "corvane"}).json() == before


def test_script_in_a_headline_stays_text(page):
    page.goto("/news")
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    headline = "<img src=x onerror=alert(3)><script>alert(4)</script> profit halves"
    page.locator("#fin-headline textarea, #fin-headline input").first.fill(headline)
    page.locator("#fin-read").click()
    expect(page.locator("#fin-label")).to_contain_text(re.compile("negative|neutral|positive"))
    expect(page.locator("#fin-label")).to_contain_text("<script>alert(4)</script>")
    assert alerts == []


def titles(page: Page) -> list[str]:
    expect(page.locator("#rec-card-9 h3")).to_be_visible()
    return [page.locator(f"#rec-card-{place} h3").inner_text() for place in range(10)]


def api_profile(page: Page) -> list[dict]:
    return page.request.get("/v1/recommender/profile").json()


@pytest.fixture
def shop(page):
    """The shop's page, open for a newcomer."""
    page.request.delete("/v1/recommender/profile")
    page.goto("/recommender")
    expect(page.locator("#rec-status")).to_contain_text("Well-loved films")
    return page


def test_a_like_survives_a_reload_and_undo_takes_it_back(shop):
    first = titles(shop)
    shop.locator("#rec-like-0").click()
    expect(shop.locator("#rec-history")).to_contain_text(first[0])
    expect(shop.locator("#rec-status")).to_contain_text(f"you liked {first[0]}")
    then = titles(shop)
    assert first[0] not in then
    shop.reload()
    expect(shop.locator("#rec-history")).to_contain_text(first[0])
    assert titles(shop) == then
    assert [event["kind"] for event in api_profile(shop)] == ["like"]
    shop.locator("#rec-undo").click()
    expect(shop.locator("#rec-status")).to_contain_text("undone")
    assert titles(shop) == first
    assert api_profile(shop) == []


def test_other_films_are_none_of_those_before_and_a_like_does_not_bring_them_back(shop):
    first = titles(shop)
    shop.locator("#rec-others").click()
    expect(shop.locator("#rec-card-0 h3")).not_to_have_text(first[0])
    second = titles(shop)
    shop.locator("#rec-like-0").click()
    expect(shop.locator("#rec-status")).to_contain_text(f"you liked {second[0]}")
    assert not {*first} & {*second, *titles(shop)}


def test_other_films_are_shown_from_their_beginning_and_keys_go_on_there(shop):
    shop.set_viewport_size({"width": 390, "height": 844})  # on which ten films are a long way
    first = titles(shop)
    shop.locator("#rec-others").click()
    expect(shop.locator("#rec-card-0 h3")).not_to_have_text(first[0])
    expect(shop.locator("#rec-status")).to_be_in_viewport(ratio=1)
    expect(shop.locator("#rec-card-0")).to_be_in_viewport(ratio=1)
    expect(shop.locator("#rec-status")).to_be_focused()
    shop.keyboard.press("Tab")
    expect(shop.locator("#rec-like-0")).to_be_focused()


def test_the_page_shows_what_the_api_noted(shop):
    film = shop.request.get("/v1/recommender/items", params={"title": "toy story"}).json()[0]
    shop.request.post("/v1/recommender/profile/events", data={"kind": "like", "item": film["id"]})
    shop.reload()
    expect(shop.locator("#rec-history")).to_contain_text("Toy Story")


def test_a_profile_is_deleted_only_after_a_question(shop):
    shop.locator("#rec-like-0").click()
    expect(shop.locator("#rec-history li")).to_have_count(1)
    shop.locator("#rec-forget").click()
    expect(shop.locator("#rec-question")).to_contain_text("all 1 likes and hides")
    shop.locator("#rec-forget-not").click()
    expect(shop.locator("#rec-question")).not_to_be_visible()
    assert len(api_profile(shop)) == 1
    shop.locator("#rec-forget").click()
    shop.locator("#rec-forget-sure").click()
    expect(shop.locator("#rec-status")).to_contain_text("deleted")
    assert api_profile(shop) == []


def test_a_demo_is_marked_and_leaves_the_own_profile_alone(shop):
    shop.locator("#rec-demo button").first.click()
    shop.locator("#rec-user input").click()
    shop.get_by_role("option").first.click()
    expect(shop.locator("#rec-status .rec-mark")).to_have_text("Demo")
    expect(shop).to_have_url(re.compile(r"visitor=\d+"))
    shop.locator("#rec-like-0").click()
    expect(shop.locator("#rec-status")).to_contain_text("Updated because you liked")
    assert api_profile(shop) == []
    shop.reload()
    expect(shop.locator("#rec-status .rec-mark")).to_have_text("Demo")
    shop.locator("#rec-back").click()
    expect(shop.locator("#rec-status")).to_contain_text("Well-loved films")
    expect(shop).not_to_have_url(re.compile("visitor="))


def test_words_stand_in_the_address_and_what_is_typed_outlives_a_reload(shop):
    shop.locator("#rec-example-2").click()
    expect(shop.locator("#rec-status")).to_contain_text("dark crime thriller")
    expect(shop).to_have_url(re.compile("words=dark"))
    shop.locator("#rec-search textarea, #rec-search input").first.press_sequentially("star wa")
    shop.wait_for_function("(sessionStorage.getItem('rec-drafts') || '').includes('star wa')")
    shop.reload()
    expect(shop.locator("#rec-status")).to_contain_text("dark crime thriller")
    expect(shop.locator("#rec-search textarea, #rec-search input").first).to_have_value("star wa")


def test_an_address_of_nobody_opens_the_own_list_with_a_notice(shop):
    shop.goto(f"/recommender?visitor={'%20' * 10}5")
    expect(shop.locator("#rec-grid")).to_be_visible()
    shop.goto("/recommender?visitor=99999")
    expect(shop.get_by_text("There is no user '99999'")).to_be_visible()
    expect(shop.locator("#rec-status")).to_contain_text("Well-loved films")


CHINESE = ["首页", "客户服务", "财经监测", "推荐系统"]
GERMAN = ["Start", "Kundenservice", "Finanzmonitor", "Empfehlungen"]


@pytest.mark.parametrize(
    ("path", "locale", "navigation"),
    [
        *((path, "zh-CN", CHINESE) for path in ("", "support", "news", "recommender")),
        *((path, "de-AT", GERMAN) for path in ("", "support")),
    ],
)
def test_the_pages_fit_a_phone_in_other_languages_and_dark(browser, server, path, locale, navigation):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, locale=locale, base_url=server, color_scheme="dark"
    )
    page = context.new_page()
    page.goto(f"/{path}?__theme=dark")
    expect(page.locator(".steer-navigation a")).to_have_text(navigation)
    if path == "news":  # headlines are wider than an empty stream
        push_surge(server, f"Phone {uuid4().hex[:6]}")
        expect(page.locator("#fin-stream .fin-row").nth(3)).to_be_visible()
    if path == "support" and locale == "de-AT":
        expect(page.locator("#cs-person")).to_have_text("Mit einem Menschen sprechen")
        page.locator("#cs-person").click()
        expect(page.locator("#cs-action")).to_contain_text("an einen Menschen übergeben")
        expect(page.locator("#cs-chat")).to_contain_text("Ich möchte mit einem Menschen sprechen.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
