"""Who gets in where accounts are on, and who does not."""

import logging
import string
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from sqlalchemy import select
from starlette.testclient import WebSocketDenialResponse

from core.platform.auth.access import COOKIE, SESSION, Accounts, Agent, CurrentPrincipal, Principal
from core.platform.auth.login import local_path, login_routes
from core.platform.auth.middleware import AuthMiddleware
from core.platform.http.problems import answer_with_problems
from core.platform.store import accounts
from core.platform.store.database import open_store
from core.platform.store.schema import EndedSession, User

SECRET = "a secret of the tests, long enough"
PASSWORD = "correct horse battery"


@pytest.fixture
def store(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'steer.db'}")
    with store.transaction() as session:
        accounts.create(session, "ann", PASSWORD, "viewer")
        accounts.create(session, "bob", PASSWORD, "agent")
    yield store
    store.close()


@pytest.fixture
def access(store):
    return Accounts(store, SECRET)


@pytest.fixture
def app(access):
    return guarded(access)


@pytest.fixture
def client(app):
    return TestClient(app, follow_redirects=False)


def guarded(access) -> FastAPI:
    """An application with a route for everybody who is known, and one for agents."""
    app = FastAPI()
    app.add_middleware(AuthMiddleware, authenticator=access, apps=dict)
    answer_with_problems(app)
    if isinstance(access, Accounts):
        app.include_router(login_routes(access))

    @app.get("/v1/me")
    @app.post("/v1/me")
    def me(who: CurrentPrincipal) -> str:
        return who.name

    @app.post("/v1/push")
    def push(who: Agent) -> str:
        return who.role

    @app.get("/health")
    def health() -> str:
        return "ok"

    return app


def log_in(client, name="ann", password=PASSWORD, **more):
    return client.post("/login", data={"name": name, "password": password, "next": more.pop("next", "/")}, **more)


def change(store, what, *arguments):
    with store.transaction() as session:
        return what(session, *arguments)


def test_nobody_is_told_how_to_get_in(client):
    refused = client.get("/v1/me")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer steer_" in refused.json()["detail"]


def test_every_address_is_guarded_but_those_that_say_so(client):
    for path in ("/", "/nowhere", "/docs", "/openapi.json", "/login/", "/login/../v1/me", "/health/x", "//login"):
        assert client.get(path).status_code == 401
    assert client.get("/health").status_code == 200
    assert client.get("/login").status_code == 200


def test_a_web_socket_is_guarded_too(client):
    with pytest.raises(WebSocketDenialResponse), client.websocket_connect("/socket"):
        pass


def test_a_person_is_led_through_the_login_to_where_they_wanted(client):
    led = client.get("/monitor?company=x&y=1", headers={"accept": "text/html,*/*"})
    assert led.status_code == 303
    assert led.headers["location"] == "/login?next=%2Fmonitor%3Fcompany%3Dx%26y%3D1"
    form = client.get(led.headers["location"]).text
    assert 'value="/monitor?company=x&amp;y=1"' in form
    done = log_in(client, next="/monitor?company=x&y=1")
    assert (done.status_code, done.headers["location"]) == (303, "/monitor?company=x&y=1")
    assert client.get("/v1/me").json() == "ann"


def test_a_key_opens_what_its_owner_may_do_until_it_is_revoked(client, store):
    record, key = change(store, accounts.issue_key, "bob", "ci")
    headers = {"Authorization": f"bearer {key}"}
    assert client.post("/v1/push", headers=headers).json() == "agent"
    change(store, accounts.set_role, "bob", "viewer")
    assert client.post("/v1/push", headers=headers).status_code == 403
    change(store, accounts.revoke_key, record.id)
    assert client.get("/v1/me", headers=headers).status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer steer_", "Bearer \xff\xfe", "Bearer ' OR 1=1 --"])
def test_what_is_no_key_opens_nothing(client, header):
    assert client.get("/v1/me", headers={"Authorization": header.encode("latin-1")}).status_code == 401


def test_a_wrong_key_is_not_made_up_for_by_a_session(client):
    log_in(client)
    assert client.get("/v1/me", headers={"Authorization": "Bearer steer_wrong"}).status_code == 401


def test_a_viewer_may_not_do_an_agents_work(client):
    log_in(client)
    refused = client.post("/v1/push")
    assert refused.status_code == 403
    assert refused.json()["detail"] == "This takes the role agent; yours is viewer."
    log_in(client, "bob")
    assert client.post("/v1/push").json() == "agent"


def test_records_are_seen_by_their_owner_and_by_agents():
    assert Principal("ann", "viewer").may_see("ann")
    assert not Principal("ann", "viewer").may_see("bob")
    for role in ("agent", "admin"):
        assert Principal("cid", role).may_see("ann")


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(app):
    cookie = log_in(TestClient(app, follow_redirects=False)).headers["set-cookie"]
    for attribute in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=43200"):
        assert attribute in cookie
    assert "Secure" not in cookie
    encrypted = TestClient(app, "https://testserver", follow_redirects=False)
    assert "Secure" in log_in(encrypted).headers["set-cookie"]


def flipped(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def test_a_forged_or_tampered_cookie_opens_nothing(client, store, access):
    cookie = log_in(client).cookies[COOKIE]
    payload, stamp, signature = cookie.split(".")
    with store.reading() as session:
        bob = accounts.find(session, "bob")
    content = [bob.id, bob.sessions_since.isoformat(), "0" * 32]
    others = Accounts(store, "another secret, just as long as it").sessions.dumps(content)
    unsalted = URLSafeTimedSerializer(SECRET).dumps(content)
    bobs_payload = others.split(".")[0]
    forged = [
        others,
        unsalted,
        f"{bobs_payload}.{stamp}.{signature}",
        f"{payload}.{flipped(stamp, 5)}.{signature}",
        *(f"{payload}.{stamp}.{flipped(signature, at)}" for at in range(len(signature) - 1)),
        f"{payload}.{stamp}.",
        payload,
        bob.id,
        "",
        "..",
        "x" * 3000,
    ]
    for value in forged:
        client.cookies.clear()
        assert client.get("/v1/me", headers={"Cookie": f"{COOKIE}={value}"}).status_code == 401, value
    assert client.get("/v1/me", headers={"Cookie": f"{COOKIE}={cookie}"}).json() == "ann"


class _Earlier(TimestampSigner):
    """Signs as it would have done some time ago."""

    ago = timedelta(0)

    def get_timestamp(self) -> int:
        return super().get_timestamp() - int(self.ago.total_seconds())


@pytest.mark.parametrize(
    ("ago", "status"), [(SESSION - timedelta(minutes=1), 200), (SESSION + timedelta(seconds=2), 401)]
)
def test_a_session_lasts_twelve_hours(client, store, ago, status):
    earlier = Accounts(store, SECRET)
    earlier.sessions.signer = type("Signer", (_Earlier,), {"ago": ago})
    cookie = earlier.log_in("ann", PASSWORD)
    assert client.get("/v1/me", headers={"Cookie": f"{COOKIE}={cookie}"}).status_code == status


@pytest.mark.parametrize(
    "change_of_account", [(accounts.set_password, "ann", "another long password"), (accounts.disable, "ann")]
)
def test_a_session_ends_with_a_new_password_and_with_the_account(client, store, change_of_account):
    log_in(client)
    assert client.get("/v1/me").status_code == 200
    change(store, *change_of_account)
    assert client.get("/v1/me").status_code == 401


def test_a_session_begun_right_after_a_new_password_holds(client, store):
    change(store, accounts.set_password, "ann", "another long password")
    log_in(client, password="another long password")
    assert client.get("/v1/me").status_code == 200


def test_logging_out_ends_the_session_wherever_its_cookie_is(client, app, store):
    cookie = log_in(client).cookies[COOKIE]
    elsewhere = TestClient(app, follow_redirects=False)
    log_in(elsewhere)
    out = client.post("/logout")
    assert (out.status_code, out.headers["location"]) == (303, "/login")
    assert client.get("/v1/me").status_code == 401
    stolen = {"Cookie": f"{COOKIE}={cookie}"}
    assert TestClient(app).get("/v1/me", headers=stolen).status_code == 401
    again = TestClient(guarded(Accounts(store, SECRET)))  # after a restart, and on another server
    assert again.get("/v1/me", headers=stolen).status_code == 401
    assert elsewhere.get("/v1/me").json() == "ann"
    # Base64's last letter has bits to spare, which make the same signature.
    spelt = [cookie[:-1] + letter for letter in string.ascii_letters + string.digits + "-_"]
    tried = [again.get("/v1/me", headers={"Cookie": f"{COOKIE}={value}"}).status_code for value in spelt]
    assert set(tried) == {401}


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c"])
def test_logging_out_without_a_session_does_nothing(client, app, cookie):
    log_in(client)
    out = TestClient(app, follow_redirects=False).post("/logout", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert out.status_code == 303
    assert client.get("/v1/me").status_code == 200


def test_sessions_that_have_lapsed_are_not_remembered_as_ended(store):
    day, first, second = timedelta(days=1), "1" * 32, "2" * 32
    change(store, accounts.end_session, first, day)
    with store.transaction() as session:
        session.get(EndedSession, first).time -= timedelta(days=2)
    change(store, accounts.end_session, second, day)
    with store.reading() as session:
        assert session.scalars(select(EndedSession.id)).all() == [second]


def test_a_page_of_another_site_can_use_no_session(client):
    log_in(client)
    for origin in (
        "https://evil.example",
        "null",
        "http://testserver.evil.example",
        "http://testserver:81",
        "http://[",
    ):
        assert client.post("/v1/me", headers={"Origin": origin}).status_code == 401
        assert client.post("/logout", headers={"Origin": origin}).status_code == 403
        assert log_in(client, headers={"Origin": origin}).status_code == 403
    assert client.post("/v1/me", headers={"Origin": "http://testserver"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/", "//evil.example", "///evil.example", r"/\evil.example", r"\\evil.example",
        "/\t/evil.example", "\n//evil.example", "javascript:alert(1)", "evil.example", "", "/x\r\nSet-Cookie: a=b",
    ],
)  # fmt: skip
def test_the_login_leads_to_no_other_site(client, path):
    assert local_path(path) == "/"
    assert 'name="next" value="/"' in client.get("/login", params={"next": path}).text
    assert log_in(client, next=path).headers["location"] == "/"


def test_the_login_page_works_without_scripts_or_other_files_and_in_two_languages(client):
    page = client.get("/login", params={"next": '/"><script>alert(1)</script>'})
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "src=" not in page.text
    assert "href=" not in page.text
    assert "prefers-color-scheme: dark" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "Log in" in page.text
    assert "登录" in client.get("/login", headers={"accept-language": "zh-CN,zh;q=0.9"}).text
    assert "Anmelden" in client.get("/login", headers={"accept-language": "de-AT,de;q=0.9,en;q=0.8"}).text
    assert "用户名或密码不正确" in log_in(client, "zoe", headers={"accept-language": "zh-CN"}).text


def test_guessing_is_slowed_down_and_then_the_right_password_waits_too(client, app):
    for _ in range(5):
        assert log_in(client, password="a wrong guess").status_code == 401
    for password in ("a wrong guess", PASSWORD):
        refused = log_in(client, "ANN", password)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert COOKIE not in refused.cookies
    assert log_in(client, "bob").status_code == 303
    elsewhere = TestClient(app, client=("203.0.113.9", 5000), follow_redirects=False)
    assert log_in(elsewhere).status_code == 303


def test_an_address_that_tries_many_names_is_slowed_down(client):
    statuses = [log_in(client, f"user{at}").status_code for at in range(21)]
    assert statuses == [401] * 20 + [429]
    assert log_in(client).status_code == 429


def test_who_succeeds_may_log_in_again(client):
    for _ in range(4):
        log_in(client, password="a wrong guess")
    assert log_in(client).status_code == 303
    for _ in range(4):
        assert log_in(client, password="a wrong guess").status_code == 401


def test_a_form_is_small(client):
    assert log_in(client, password="x" * 5000).status_code == 413
    pieces = client.post("/login", content=(b"x" * 1000 for _ in range(10)))
    assert pieces.status_code == 413
    assert client.post("/login", content="&".join(f"f{at}=1" for at in range(9))).status_code == 400


@pytest.mark.parametrize("body", [b"", b"name=ann", b"\xff\xfe=\x00", b"name=%00&password=%ff", b'{"name": "ann"}'])
def test_what_is_no_form_is_a_wrong_password(client, body):
    assert client.post("/login", content=body).status_code == 401


def test_sql_in_the_form_is_just_text(client):
    for text in ("' OR '1'='1", "ann' --", "ann\0"):
        assert log_in(client, text, text).status_code == 401


def test_no_password_key_or_cookie_reaches_a_log(client, store, access, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    _, key = change(store, accounts.issue_key, "ann", "ci")
    cookie = log_in(client).cookies[COOKIE]
    log_in(client, "typed-into-the-wrong-field", "a wrong guess")
    client.get("/v1/me", headers={"Authorization": f"Bearer {key}"})
    written = caplog.text + "".join(capfd.readouterr()) + repr(access) + repr(access.sessions) + repr(vars(access))
    assert "wrong name or password" in written
    for secret in (PASSWORD, "a wrong guess", "typed-into-the-wrong-field", key, cookie, SECRET):
        assert secret not in written


def test_a_login_renews_a_hash_of_outdated_parameters(access, store):
    with store.transaction() as session:
        ann = accounts.find(session, "ann")
        ann.password_hash = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    assert access.log_in("ann", PASSWORD) is not None
    with store.reading() as session:
        assert not accounts.has_outdated_hash(session.get(User, ann.id))


def test_a_store_that_does_not_answer_is_an_outage_and_lets_nobody_in(client, store, tmp_path):
    log_in(client)
    store.close()
    (tmp_path / "steer.db").rename(tmp_path / "away.db")
    (tmp_path / "steer.db").mkdir()
    refused = client.get("/v1/me")
    assert refused.status_code == 503
    assert str(tmp_path) not in refused.text
