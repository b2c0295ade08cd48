"""SQL in every field of every route is just text."""

import copy
import json
from collections.abc import Iterator
from urllib.parse import quote
from uuid import uuid4

import pytest

from apps.customer_service import tables
from core.platform.store import accounts
from core.platform.store.database import open_store, sqlite_url

pytestmark = pytest.mark.slow

TEXTS = {
    "drop": "'; DROP TABLE turns; --",
    "always true": "' OR '1'='1",
    "union": '") UNION SELECT name, password_hash FROM users --',
    "wildcard": "%",
    "zero byte": "a\0b",
    "half a pair": "\ud800",
    "full-width quote": "\uff07 OR 1=1 --",
    "long": "'" * 5000,
}

BODIES = {
    "/v1/support/conversations/{identity}/messages": {"text": "where is my order"},
    "/v1/support/conversations/{identity}/answers": {"text": "it leaves our depot tonight"},
    "/v1/support/decisions/{identity}/feedback": {"value": 1, "comment": ""},
    "/v1/chat/completions": {"model": "steer-support", "messages": [{"role": "user", "content": "where is my order"}]},
    "/v1/news/labels": {"items": [{"company": "Corvane", "headline": "Profit doubles"}]},
    "/v1/news/items": {
        "items": [{"key": "sql", "time": "2026-03-01T00:00:00Z", "company": "Sqlite", "headline": "Profit doubles"}]
    },
    "/v1/news/items/{number}/label": {"topic": "legal", "sentiment": "neutral"},
    "/v1/news/alerts/{number}/acknowledge": {"note": ""},
    "/v1/recommender/lists": {"words": "space", "events": [{"kind": "like", "item": "1"}]},
    "/v1/recommender/profile/events": {"kind": "like", "item": "1", "decision": "0" * 32},
}


def with_text(value: object, text: str) -> Iterator[object]:
    """Copies of a JSON value, in each of which another text is replaced."""
    if isinstance(value, str):
        yield text
    elif isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            for changed in with_text(value[key], text):
                whole = copy.copy(value)
                whole[key] = changed
                yield whole


def requests(paths: dict, identity: str, text: str) -> Iterator[dict]:
    """A request for each field of the document that takes a text."""
    hidden = quote(text, safe="", errors="surrogatepass")
    for path, methods in paths.items():
        real = path.replace("{identity}", identity).replace("{number}", "1").replace("{row}", "1")
        for method, operation in methods.items():
            body = BODIES.get(path) if method in ("post", "put") else None
            assert body is not None or "requestBody" not in operation, path
            for changed in with_text(body, text):
                yield {"method": method, "url": real, "content": json.dumps(changed)}
            for field in operation.get("parameters", []):
                if field["in"] == "path":
                    url = path.replace(f"{{{field['name']}}}", hidden)
                    yield {"method": method, "url": url, "content": json.dumps(body)}
                elif field["in"] == "query":
                    yield {"method": method, "url": f"{real}?{field['name']}={hidden}"}
                elif text.isascii() and text.isprintable():
                    headers = {field["name"]: text}
                    yield {"method": method, "url": real, "content": json.dumps(body), "headers": headers}


@pytest.fixture
def secret(ann) -> str:
    """A conversation of ann's."""
    identity = ann.post("/v1/support/conversations").raise_for_status().json()["id"]
    address = f"/v1/support/conversations/{identity}/messages"
    ann.post(address, json={"text": "ann's own words"}).raise_for_status()
    return identity


def names_of_users(guarded) -> set[str]:
    store = open_store(sqlite_url(guarded.runs / "steer.db"))
    with store.reading() as session:
        names = {user.name for user in accounts.everybody(session)}
    store.close()
    return names


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_sql_in_any_field_is_just_text(guarded, ann, carol, secret, text):
    paths = carol.get("/v1/openapi.json").json()["paths"]
    mine = carol.post("/v1/support/conversations").raise_for_status().json()["id"]
    before = ann.get(f"/v1/support/conversations/{secret}").json()
    known = names_of_users(guarded)
    for request in requests(paths, mine, text):
        headers = {"Content-Type": "application/json", **request.pop("headers", {})}
        answer = carol.request(**request, headers=headers)
        assert answer.status_code < 500, (request, answer.text)
        assert "password_hash" not in answer.text.replace(TEXTS["union"], "")
    assert ann.get(f"/v1/support/conversations/{secret}").json() == before
    assert names_of_users(guarded) == known >= {"ann", "bob", "carol", "root"}
    store = open_store(sqlite_url(guarded.runs / "steer.db"))
    with store.reading() as session:
        assert tables.turns(session, secret)[0].text == "ann's own words"
    store.close()


@pytest.mark.parametrize("text", ["%", "_", "' OR '1'='1", "*", ".*", "\\"])
def test_a_wildcard_finds_nothing_but_itself(carol, text):
    item = {"key": uuid4().hex, "time": "2026-03-01T00:00:00Z", "company": "Wild", "headline": "Profit doubles"}
    carol.post("/v1/news/items", json={"items": [item]}).raise_for_status()
    found = carol.get("/v1/news/items", params={"company": text}).raise_for_status().json()
    assert {item["company"] for item in found} <= {text}
    assert carol.get(f"/v1/support/articles/{quote(text, safe='')}").status_code == 404
