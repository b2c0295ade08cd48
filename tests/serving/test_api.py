"""The HTTP API of a real server."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

pytestmark = pytest.mark.slow

NOON = "2026-03-01T12:00:00Z"


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client


@pytest.fixture
def conversation(client) -> str:
    return client.post("/v1/support/conversations").raise_for_status().json()["id"]


def say(client, conversation: str, text: str, key: str | None = None) -> dict:
    headers = {"Idempotency-Key": key} if key else {}
    address = f"/v1/support/conversations/{conversation}/messages"
    return client.post(address, json={"text": text}, headers=headers).raise_for_status().json()


def turns(client, conversation: str) -> list[dict]:
    return client.get(f"/v1/support/conversations/{conversation}").raise_for_status().json()


def test_a_conversation_is_answered_kept_judged_and_taken_back(client, conversation):
    reply = say(client, conversation, "How do I reset my password?")
    assert reply["action"] == "answer"
    assert reply["sources"][0]["title"]
    assert [turn["role"] for turn in turns(client, conversation)] == ["user", "assistant"]
    opinion = f"/v1/support/decisions/{reply['decision']}/feedback"
    assert client.put(opinion, json={"value": -1, "comment": "wrong"}).status_code == 204
    assert client.put(opinion, json={"value": 1}).status_code == 204
    taken = client.delete(f"/v1/support/conversations/{conversation}/messages/last").json()
    assert taken == {"text": "How do I reset my password?"}
    assert turns(client, conversation) == []


def test_a_message_that_is_sent_again_is_not_taken_twice(client, conversation):
    first = say(client, conversation, "where is my order", "key-12345678")
    assert say(client, conversation, "where is my order", "key-12345678") == first
    assert len(turns(client, conversation)) == 2


def test_a_key_that_came_with_another_message_is_refused(client, conversation):
    address, headers = f"/v1/support/conversations/{conversation}", {"Idempotency-Key": "key-12345678"}
    reply = say(client, conversation, "where is my order", "key-12345678")
    other = client.post(f"{address}/messages", json={"text": "how do I reset my password"}, headers=headers)
    person = client.post(f"{address}/hand-over", headers=headers)
    assert (other.status_code, person.status_code) == (409, 409)
    assert "key-12345678 came with another request" in other.json()["detail"]
    assert say(client, conversation, "where is my order", "key-12345678") == reply
    assert len(turns(client, conversation)) == 2


def test_a_wish_for_a_person_that_is_sent_again_is_not_noted_twice(client, conversation):
    address, headers = f"/v1/support/conversations/{conversation}/hand-over", {"Idempotency-Key": "key-12345678"}
    first, again = (client.post(address, headers=headers).raise_for_status().json() for _ in range(2))
    assert first == again
    assert len(turns(client, conversation)) == 2


def test_a_conversation_is_read_in_pages(client, conversation):
    for at in range(3):
        say(client, conversation, f"where is my order number {at}")
    whole, address = turns(client, conversation), f"/v1/support/conversations/{conversation}"
    assert client.get(address, params={"limit": 4}).json() == whole[:4]
    assert client.get(address, params={"limit": 4, "offset": 4}).json() == whole[4:]
    assert client.get(address, params={"offset": 6}).json() == []


def test_messages_at_the_same_time_all_get_a_reply_of_their_own(client, conversation):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda at: say(client, conversation, f"question {at} about my order"), range(4)))
    said = turns(client, conversation)
    assert [turn["role"] for turn in said] == ["user", "assistant"] * 4
    assert len({turn["text"] for turn in said[::2]}) == 4


def test_small_talk_gets_a_word_in_the_pages_language_and_ends_nothing(client, conversation):
    kinds = ["greeting", "thanks", "goodbye", "about_bot", "acknowledgement"]
    said = ["hello", "thanks", "bye bye", "are you a robot", "ok"]
    replies = [say(client, conversation, message) for message in said]
    assert [reply["action"] for reply in replies] == kinds
    assert all(reply["text"] and not reply["sources"] for reply in replies)
    assert say(client, conversation, "How do I reset my password?")["action"] == "answer"
    address, chinese = f"/v1/support/conversations/{conversation}", {"Accept-Language": "zh-CN"}
    small_talk = client.get(address, headers=chinese).json()[1:10:2]
    assert all(re.search("[\u4e00-\u9fff]", turn["text"]) for turn in small_talk)


def test_a_person_is_had_for_the_asking(client, conversation):
    reply = client.post(f"/v1/support/conversations/{conversation}/hand-over").json()
    assert reply["action"] == "hand_over"
    assert turns(client, conversation)[-1]["action"] == "hand_over"


def test_texts_come_in_the_language_that_is_asked_for(client, conversation):
    address = f"/v1/support/conversations/{conversation}/hand-over"
    assert re.search("[\u4e00-\u9fff]", client.post(address, headers={"Accept-Language": "zh-CN"}).json()["text"])


def test_a_removed_conversation_is_gone(client, conversation):
    say(client, conversation, "where is my order")
    assert client.delete(f"/v1/support/conversations/{conversation}").status_code == 204
    assert client.get(f"/v1/support/conversations/{conversation}").status_code == 404


def test_conversations_are_listed_by_their_first_words(client):
    older, newest = (client.post("/v1/support/conversations").json()["id"] for _ in range(2))
    say(client, older, "where is my order")
    say(client, newest, "how do I reset my password")
    listed = client.get("/v1/support/conversations", params={"limit": 2, "mine": True}).json()
    assert [(line["id"], line["title"]) for line in listed] == [
        (newest, "how do I reset my password"),
        (older, "where is my order"),
    ]


def test_articles_are_paged(client):
    first = client.get("/v1/support/articles", params={"limit": 3}).json()
    after = client.get("/v1/support/articles", params={"limit": 1, "after": first[1]["id"]}).json()
    assert after == first[2:]
    assert client.get(f"/v1/support/articles/{first[0]['id']}").json() == first[0]
    assert client.get("/v1/support/articles/none-such").status_code == 404


def surge(company: str) -> list[dict]:
    headlines = [
        "sued over fraud", "under criminal investigation", "recalls faulty products after injuries",
        "cuts guidance, shares plunge", "chief financial officer resigns amid scandal", "faces bankruptcy petition",
        "loses its largest customer", "plant burns down, production halted",
    ]  # fmt: skip
    begin = datetime.now(UTC) - timedelta(hours=9)
    return [
        {
            "key": f"{company}-{at}",
            "time": (begin + timedelta(hours=at)).isoformat(),
            "company": company,
            "headline": text,
        }
        for at, text in enumerate(headlines)
    ]


def test_a_surge_is_alerted_once_however_often_it_is_delivered(client):
    items = surge(f"Alpha {uuid4().hex[:8]}")
    first = client.post("/v1/news/items", json={"items": items}).raise_for_status().json()
    assert first["new"] == 8
    (alert,) = first["alerts"]
    assert alert["company"] == items[0]["company"]
    assert len(alert["reason"]["causes"]) >= 3
    again = client.post("/v1/news/items", json={"items": items}).json()
    assert again == {"new": 0, "expired": 0, "alerts": []}
    client.post(f"/v1/news/alerts/{alert['id']}/acknowledge", json={"note": "seen"}).raise_for_status()
    history = client.get(f"/v1/news/alerts/{alert['id']}").json()["history"]
    assert [(change["state"], change["who"]) for change in history] == [("open", "monitor"), ("acknowledged", "local")]
    assert client.get("/v1/news/watchlist").json()[0]["alerted"]


def test_an_item_of_the_future_is_named_and_changes_nothing_else(client):
    company = f"Alpha {uuid4().hex[:8]}"
    client.post("/v1/news/items", json={"items": surge(company)}).raise_for_status()
    paths = ("watchlist", "trends", "alerts")
    before = [client.get(f"/v1/news/{path}").json() for path in paths]
    ahead = [{**item, "key": f"{item['key']} ahead", "time": f"{year}-01-01T00:00:00Z"} for item, year in zip(
        surge(company), range(2031, 2199, 21), strict=True
    )]  # fmt: skip
    assert client.post("/v1/news/items", json={"items": ahead}).json() == {"new": 8, "expired": 0, "alerts": []}
    assert [client.get(f"/v1/news/{path}").json() for path in paths] == before
    shown = client.get("/v1/news/items", params={"company": company}).json()
    assert [item["is_ahead"] for item in shown] == [True] * 8 + [False] * 8
    assert all(item["sentiment"] for item in shown)


def test_news_without_a_company_are_kept_for_each_that_the_headline_names(client):
    key, headline = uuid4().hex, "Corvane and Tarnholme Bank settle their dispute"
    items = [{"key": f"{key} {text}", "time": NOON, "headline": text} for text in (headline, "Rates fall")]
    assert client.post("/v1/news/items", json={"items": items}).raise_for_status().json()["new"] == 3
    companies = [item["company"] for item in client.get("/v1/news/items").json() if item["headline"] == headline]
    assert sorted(companies) == ["corvane", "tarnholme"]
    assert "Rates fall" in {item["headline"] for item in client.get("/v1/news/items", params={"company": ""}).json()}
    assert client.get("/v1/news/feeds").json() == []


def test_news_are_read_and_can_be_corrected(client):
    client.post("/v1/news/items", json={"items": surge("Betatest")[:1]}).raise_for_status()
    (item,) = client.get("/v1/news/items", params={"company": "Betatest"}).json()
    assert item["sentiment"] == "negative"
    wanted = {"company": "Betatest", "sentiment": "negative", "topic": item["topic"]}
    assert client.get("/v1/news/items", params=wanted).json() == [item]
    assert client.get("/v1/news/items", params={"company": "Betatest", "sentiment": "positive"}).json() == []
    right = {"topic": item["topic"], "sentiment": "neutral"}
    assert client.put(f"/v1/news/items/{item['id']}/label", json=right).status_code == 204
    assert client.put("/v1/news/items/999999/label", json=right).status_code == 404
    labels = client.post("/v1/news/labels", json={"items": [{"headline": "Company wins record contract"}] * 3}).json()
    assert [label["sentiment"] for label in labels] == ["positive"] * 3


def test_a_list_learns_from_the_profile(client):
    client.delete("/v1/recommender/profile").raise_for_status()
    shown = client.post("/v1/recommender/lists", json={"words": "space adventure"}).raise_for_status().json()
    assert len(shown["items"]) == 10
    event = {"kind": "like", "item": shown["items"][0]["id"], "decision": shown["decision"]}
    headers = {"Idempotency-Key": "like-0123456789"}
    keys = {client.post("/v1/recommender/profile/events", json=event, headers=headers).json()["key"] for _ in range(2)}
    assert keys == {"like-0123456789"}
    assert client.get("/v1/recommender/profile").json() == [{"kind": "like", "item": event["item"]}]
    again = client.post("/v1/recommender/lists", json={"profile": True}).json()
    assert event["item"] not in [film["id"] for film in again["items"]]
    assert client.delete("/v1/recommender/profile/events/last").json() == {"undone": True}
    newcomer = client.post("/v1/recommender/lists", json={"profile": True}).json()
    assert (len(newcomer["items"]), newcomer["decision"]) == (10, None)
    assert newcomer == client.post("/v1/recommender/lists", json={}).json()


def test_the_api_says_what_it_heard_in_words(client):
    comedies = client.post("/v1/recommender/lists", json={"words": "90s comedies"}).raise_for_status().json()
    assert (comedies["heard"], comedies["unmet"], comedies["note"]) == (["1990s", "Comedy"], [], None)
    assert {item["reason"]["about"] for item in comedies["items"]} == {"1990s, Comedy"}
    nonsense = client.post("/v1/recommender/lists", json={"words": "asdf qwer"}).raise_for_status().json()
    assert nonsense["note"].startswith("Nothing here is near to what you wrote")
    assert nonsense["items"] == client.post("/v1/recommender/lists", json={}).json()["items"]


def test_a_profile_is_read_in_pages(client):
    client.delete("/v1/recommender/profile").raise_for_status()
    done = [{"kind": kind, "item": film} for film in ("3", "5") for kind in ("like", "hide")]
    for event in done:
        client.post("/v1/recommender/profile/events", json=event).raise_for_status()
    assert client.get("/v1/recommender/profile", params={"limit": 3}).json() == done[:3]
    assert client.get("/v1/recommender/profile", params={"limit": 3, "offset": 3}).json() == done[3:]
    assert client.get("/v1/recommender/profile", params={"limit": 10_000}).status_code == 422
    client.delete("/v1/recommender/profile").raise_for_status()


def test_a_key_that_came_with_another_event_is_refused(client):
    headers = {"Idempotency-Key": uuid4().hex}
    client.delete("/v1/recommender/profile").raise_for_status()
    like, hide = ({"kind": kind, "item": "7"} for kind in ("like", "hide"))
    assert client.post("/v1/recommender/profile/events", json=like, headers=headers).status_code == 201
    assert client.post("/v1/recommender/profile/events", json=hide, headers=headers).status_code == 409
    assert client.post("/v1/recommender/profile/events", json=like, headers=headers).status_code == 201
    assert client.get("/v1/recommender/profile").json() == [like]


def test_an_event_must_name_a_list_that_showed_the_film(client):
    shown = client.post("/v1/recommender/lists", json={"words": "space adventure"}).json()
    films = [film["id"] for film in shown["items"]]
    other = next(film for film in ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11") if film not in films)
    event = {"kind": "like", "item": other, "decision": shown["decision"]}
    refused = client.post("/v1/recommender/profile/events", json=event)
    assert refused.status_code == 404
    assert "did not show" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/v1/recommender/lists", {"user": "999999"}, 400, "There is no user '999999'"),
        ("POST", "/v1/recommender/lists", {"events": [{"kind": "like", "item": "999999"}]}, 400, "no item '999999'"),
        ("POST", "/v1/recommender/lists", {"events": [{"kind": "eat", "item": "1"}]}, 422, "'like' or 'hide'"),
        ("POST", "/v1/recommender/lists", {"events": [{"kind": "like", "item": 1}]}, 422, "valid string"),
        ("POST", "/v1/news/labels", {"items": []}, 422, "at least 1 item"),
        ("POST", "/v1/news/labels", {"items": [{"headline": "\u200b"}]}, 400, "type a headline"),
        ("POST", "/v1/news/items", {"items": [{**surge("x")[0], "time": "2026-03-01T00:00:00"}]}, 422, "timezone"),
        ("GET", "/v1/support/conversations/0123456789abcdef0123456789abcdef", None, 404, "no such conversation"),
        ("GET", "/v1/support/conversations/../../etc", None, 404, ""),
        ("PUT", "/v1/support/decisions/0123456789abcdef0123456789abcdef/feedback", {"value": 1}, 404, "no such reply"),
        ("PUT", "/v1/support/decisions/0123456789abcdef0123456789abcdef/feedback", {"value": 7}, 422, "less than or"),
        (
            "PUT",
            "/v1/support/decisions/0123456789abcdef0123456789abcdef/feedback",
            {"value": True},
            422,
            "valid number",
        ),
    ],
)
def test_a_mistake_gets_a_problem_that_says_what_is_wrong(client, method, path, body, status, says):
    answer = client.request(method, path, json=body)
    assert answer.status_code == status
    if says:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert says in problem["detail"]
        assert problem["status"] == status
        assert problem["request_id"] == answer.headers["x-request-id"]


HEADLINE = {"time": NOON, "company": "Corvane", "headline": "Profit doubles"}
ASKED = {"model": "steer-support", "messages": [{"role": "user", "content": "where is my order"}]}


@pytest.mark.parametrize(
    ("method", "path", "body", "name"),
    [
        ("POST", "/v1/recommender/lists?limit=3", {}, "query.limit"),
        ("POST", "/v1/recommender/lists", {"k": 3}, "body.k"),
        ("POST", "/v1/recommender/lists", {"filters": {"year": 1999}}, "body.filters"),
        ("POST", "/v1/recommender/lists", {"events": [{"kind": "like", "item": "1", "value": 5}]}, "value"),
        ("POST", "/v1/recommender/profile/events", {"kind": "like", "item": "1", "value": 5}, "body.value"),
        ("GET", "/v1/recommender/items?title=space&genre=drama", None, "query.genre"),
        ("GET", "/v1/recommender/profile?page=2", None, "query.page"),
        ("POST", "/v1/news/labels", {"items": [{"headline": "Profit doubles", "language": "en"}]}, "language"),
        ("POST", "/v1/news/items", {"items": [{**HEADLINE, "key": "k", "source": "x"}]}, "source"),
        ("GET", "/v1/news/items?since=2026", None, "query.since"),
        ("GET", "/v1/news/watchlist?limit=3", None, "query.limit"),
        ("POST", "/v1/support/conversations", {"title": "mine"}, "body"),
        ("GET", "/v1/support/conversations?owner=ann", None, "query.owner"),
        ("GET", "/v1/support/articles?q=refund", None, "query.q"),
        ("POST", "/v1/chat/completions", {**ASKED, "tools": [{"type": "function"}]}, "tools"),
        ("POST", "/v1/chat/completions", {**ASKED, "n": 2}, "body.n"),
        ("POST", "/v1/chat/completions", {**ASKED, "temprature": 1}, "temprature"),
        ("GET", "/v1/models?limit=1", None, "query.limit"),
    ],
)
def test_a_parameter_that_a_route_does_not_have_is_refused_by_its_name(client, method, path, body, name):
    refused = client.request(method, path, json=body)
    assert refused.status_code == 422, refused.text
    assert [error["field"] for error in refused.json()["errors"] if name in error["field"]]


def test_settings_of_openais_protocol_that_ask_for_nothing_special_are_taken(client):
    usual = {"temperature": 0.2, "max_tokens": 100, "n": 1, "tools": [], "response_format": {"type": "text"}}
    assert client.post("/v1/chat/completions", json={**ASKED, **usual}).status_code == 200


def test_a_key_is_obeyed_or_refused_on_every_route(client, conversation):
    paths = client.get("/v1/openapi.json").json()["paths"]
    headers = {"Idempotency-Key": uuid4().hex}
    taking = set()
    for path, methods in paths.items():
        for method, operation in methods.items():
            if method in ("get", "put"):
                continue
            takes = any(field["name"] == "Idempotency-Key" for field in operation.get("parameters", []))
            taking |= {path} if takes else set()
            if not takes and (method == "post" or path.endswith("/last")):
                refused = client.request(method, path.replace("{identity}", conversation), headers=headers)
                assert refused.status_code == 422, (path, refused.text)
                assert "send no key" in refused.json()["detail"]
    talk = "/v1/support/conversations/{identity}"
    assert taking == {f"{talk}/messages", f"{talk}/hand-over", "/v1/recommender/profile/events"}


def test_a_request_keeps_the_id_that_it_came_with(client):
    assert client.get("/health", headers={"X-Request-ID": "mine-12345678"}).headers["x-request-id"] == "mine-12345678"
    assert client.get("/health", headers={"X-Request-ID": "no such: id"}).headers["x-request-id"] != "no such: id"


def test_the_server_says_how_it_fares(client, conversation):
    say(client, conversation, "where is my order")
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/ready").json()["versions"]["customer_service"] == "v0001"
    metrics = client.get("/metrics").text
    assert 'route="/v1/support/conversations/{identity}/messages",status="200"' in metrics
    assert re.search(r'steer_decisions_total\{action="\w+",app="customer_service",version="v0001"\} \d', metrics)
    assert re.search(r'steer_batch_size_count\{model="customer_service.replies"\} \d', metrics)
    assert conversation not in metrics


def test_the_description_names_every_route(client):
    paths = client.get("/v1/openapi.json").json()["paths"]
    assert {"/v1/chat/completions", "/v1/support/conversations", "/v1/news/items", "/v1/recommender/lists"} < set(paths)
    assert all(path.startswith("/v1/") for path in paths)
