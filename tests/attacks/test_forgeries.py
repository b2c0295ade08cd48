"""Forged keys, cookies and headers open nothing."""

import json
from datetime import UTC, datetime

import httpx
import pytest
from itsdangerous import URLSafeSerializer

from core.platform.auth.access import COOKIE, Accounts
from core.platform.auth.secret import load_secret
from core.platform.store import accounts
from core.platform.store.database import open_store, sqlite_url
from tests.attacks.conftest import PASSWORD

pytestmark = pytest.mark.slow

MINE = "/v1/support/conversations"


@pytest.fixture(scope="module")
def nobody(guarded):
    """A client that shows nothing by itself."""
    with httpx.Client(base_url=guarded.address, timeout=60) as client:
        yield client


def test_a_key_with_one_wrong_character_opens_nothing(guarded, nobody):
    key = guarded.keys["root"]
    wrong = [key[:at] + ("A" if key[at] != "A" else "B") + key[at + 1 :] for at in range(len(key))]
    wrong += [key[:-1], key + "A", key.lower(), key.swapcase(), key + "\t" + key]
    for forged in wrong:
        assert nobody.get(MINE, headers={"Authorization": f"Bearer {forged}"}).status_code == 401, forged


@pytest.mark.parametrize(
    "shown",
    [
        "Bearer",
        "Bearer null",
        "Bearer undefined",
        "Bearer steer_",
        "Bearer %00",
        "Bearer '",
        "Bearer *",
        "Digest x",
        "root",
    ],
)
def test_what_is_no_key_opens_nothing(nobody, shown):
    assert nobody.get(MINE, headers={"Authorization": shown}).status_code == 401


def test_a_key_counts_in_its_header_alone(guarded, nobody):
    key = guarded.keys["root"]
    for name in ("api_key", "key", "token", "access_token", "Authorization"):
        assert nobody.get(MINE, params={name: key}).status_code == 401
        assert nobody.get(MINE, headers={"Cookie": f"{name}={key}"}).status_code == 401
    assert nobody.get(MINE, headers={"Cookie": f"{COOKIE}={key}"}).status_code == 401
    assert nobody.get(MINE, headers={"Authorization": f"Basic {key}"}).status_code == 401


def test_a_cookie_that_we_did_not_sign_opens_nothing(guarded, nobody):
    store = open_store(sqlite_url(guarded.runs / "steer.db"))
    with store.reading() as session:
        root = accounts.find(session, "root")
    store.close()
    identity = [root.id, root.sessions_since.isoformat()]
    real = Accounts(store, load_secret(guarded.runs)).sessions
    forged = [
        Accounts(store, "another secret that is as long as it takes").sessions.dumps(identity),
        Accounts(store, "").sessions.dumps(identity),
        URLSafeSerializer(load_secret(guarded.runs)).dumps(identity),
        real.dumps([root.id, "1970-01-01T00:00:00+00:00"]),
        real.dumps(["root", datetime.now(UTC).isoformat()]),
        json.dumps(identity),
        ".".join(["", *guarded.cookie.split(".")[1:]]),
        guarded.cookie.rpartition(".")[0],
    ]
    for value in forged:
        assert nobody.get(MINE, headers={"Cookie": f"{COOKIE}={value}"}).status_code == 401, value
    honest = nobody.get(MINE, headers={"Cookie": f"{COOKIE}={real.dumps(identity)}"})
    assert honest.status_code == 200  # so the forgeries fail for what is wrong with them


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-User", "X-Remote-User", "Remote-User", "X-User", "X-Auth-Request-User", "X-WEBAUTH-USER", "From"],
)
def test_a_header_that_names_a_user_is_not_believed(nobody, header):
    assert nobody.get(MINE, headers={header: "root"}).status_code == 401


@pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-HTTP-Method-Override"])
def test_a_header_that_names_another_address_is_not_believed(nobody, header):
    assert nobody.get("/health", headers={header: MINE}).json()["status"] == "ok"
    assert nobody.get(MINE, headers={header: "/health"}).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/health/../v1/models",
        "/login/../v1/models",
        "/v1/models?/health",
        "/health;/../v1/models",
        "//v1/models",
        "/V1/models",
    ],
)
def test_no_spelling_of_an_address_leads_past_the_gate(guarded, path):
    host, port = guarded.address.removeprefix("http://").split(":")
    url = httpx.URL(scheme="http", host=host, port=int(port), raw_path=path.encode())
    answer = httpx.get(url, timeout=60)
    assert answer.status_code in (401, 404)
    assert "steer-support" not in answer.text


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", "http://"]
)
def test_another_sites_page_does_nothing_with_the_browsers_cookie(guarded, nobody, ann, origin):
    before = ann.get(MINE).json()
    headers = {"Cookie": f"{COOKIE}={guarded.cookie}", "Origin": origin}
    for path in (MINE, "/v1/recommender/profile/events", "/gradio_api/queue/join"):
        assert nobody.post(path, headers=headers, json={"kind": "like", "item": "1"}).status_code == 401
    assert ann.get(MINE).json() == before
    assert nobody.post(MINE, headers={**headers, "Origin": guarded.address}).status_code == 201


def test_another_sites_page_logs_nobody_in_or_out(nobody):
    form = {"name": "ann", "password": PASSWORD}
    for path in ("/login", "/logout"):
        refused = nobody.post(path, data=form, headers={"Origin": "http://evil.example"})
        assert refused.status_code == 403
        assert "set-cookie" not in refused.headers


def test_no_answer_lets_another_site_read_it(ann):
    for path in (MINE, "/support", "/gradio_api/info", "/v1/openapi.json"):
        answer = ann.get(path, headers={"Origin": "http://evil.example"})
        assert answer.headers.get("access-control-allow-origin") != "*"
        allowed = (
            answer.headers.get("access-control-allow-origin"),
            answer.headers.get("access-control-allow-credentials"),
        )
        assert allowed != ("http://evil.example", "true")


@pytest.mark.parametrize("there", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_a_login_leads_to_no_other_site(guarded, there):
    form = {"name": "carol", "password": PASSWORD, "next": there}
    done = httpx.post(f"{guarded.address}/login", data=form, timeout=60)
    assert (done.status_code, done.headers["location"]) == (303, "/")


def test_a_request_id_carries_nothing_into_the_log(guarded, ann):
    for forged in ("x" * 500, "a b", '12345678"}', "<script>"):
        assert ann.get("/v1/models", headers={"X-Request-ID": forged}).headers["x-request-id"] != forged
