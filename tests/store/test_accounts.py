"""Users, passwords and API keys, on both engines."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from core.platform.store import accounts
from core.platform.store.schema import ApiKey, User
from core.util.errors import ConflictError, NotFoundError, SteerError

PASSWORD = "correct horse battery"


def user(store, name="ann", role="viewer"):
    with store.transaction() as session:
        return accounts.create(session, name, PASSWORD, role)


def change(store, what, *arguments):
    with store.transaction() as session:
        return what(session, *arguments)


def logged_in(store, name="ann", password=PASSWORD):
    with store.reading() as session:
        return accounts.authenticate(session, name, password)


def test_a_user_comes_in_with_their_password_alone(store):
    user(store)
    assert logged_in(store).name == "ann"
    assert logged_in(store, password=PASSWORD + " ") is None
    assert logged_in(store, password="") is None
    assert logged_in(store, name="bob") is None


def test_capitals_and_composed_letters_make_no_other_user(store):
    user(store, "René")
    assert logged_in(store, "RENÉ ").name == "rené"
    assert logged_in(store, "rene\u0301") is not None
    with pytest.raises(ConflictError, match="a user 'rené' already"):
        user(store, "RENÉ")


@pytest.mark.parametrize(
    ("name", "password", "role", "message"),
    [
        ("", PASSWORD, "agent", "name of a user is a text of 1 to 80"),
        ("a" * 81, PASSWORD, "agent", "name of a user is a text of 1 to 80"),
        ("a\0b", PASSWORD, "agent", "visible characters"),
        ("a\nb", PASSWORD, "agent", "visible characters"),
        ("Local", PASSWORD, "agent", "stands for use without accounts"),
        ("ann", "too short", "agent", "10 to 256 characters"),
        ("ann", " " * 20, "agent", "10 to 256 characters"),
        ("ann", "x" * 257, "agent", "10 to 256 characters"),
        ("ann", PASSWORD, "owner", "the roles are viewer, agent, admin"),
    ],
)
def test_what_cannot_be_a_user_is_refused_without_showing_the_password(store, name, password, role, message):
    with pytest.raises(SteerError, match=message) as caught, store.transaction() as session:
        accounts.create(session, name, password, role)
    assert password not in str(caught.value)


@pytest.mark.parametrize("name", ["' OR '1'='1", "ann'; DROP TABLE users; --", "ann\0", "%", "\ud800", "x" * 100_000])
def test_sql_in_a_name_is_just_text(store, name):
    user(store)
    assert logged_in(store, name) is None
    with store.reading() as session:
        assert accounts.of_key(session, name) is None
        assert [one.name for one in accounts.everybody(session)] == ["ann"]


def test_a_user_may_have_a_name_that_looks_like_sql(store):
    user(store, "Robert'); DROP TABLE users;--")
    assert logged_in(store, "robert'); drop table users;--") is not None


def test_only_a_hash_of_the_password_and_a_digest_of_the_key_are_kept(store):
    user(store)
    record, key = change(store, accounts.issue_key, "ann", "ci")
    assert key.startswith("steer_")
    with store.engine.connect() as connection:
        kept = repr([*connection.execute(select(User.__table__)), *connection.execute(select(ApiKey.__table__))])
    assert "$argon2id$" in kept
    for secret in (PASSWORD, key, key.removeprefix("steer_")):
        assert secret not in kept
        assert secret not in repr(record) + repr(vars(record))


def test_a_name_that_nobody_has_takes_as_long_as_a_wrong_password(store):
    user(store)

    def seconds(name: str) -> float:
        started = time.process_time()  # other work on the machine does not count
        for _ in range(5):
            assert logged_in(store, name, "a wrong password") is None
        return time.process_time() - started

    logged_in(store)
    assert 0.6 < seconds("nobody") / seconds("ann") < 1.6


def test_a_hash_of_outdated_parameters_is_renewed_unless_the_password_has_changed(store):
    user(store)
    weak = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    with store.transaction() as session:
        session.execute(update(User).values(password_hash=weak))
    before = logged_in(store)
    assert accounts.has_outdated_hash(before)
    change(store, accounts.renew_hash, before, PASSWORD)
    renewed = logged_in(store)
    assert not accounts.has_outdated_hash(renewed)
    assert renewed.sessions_since == before.sessions_since
    change(store, accounts.set_password, "ann", "another long password")
    change(store, accounts.renew_hash, renewed, PASSWORD)
    assert logged_in(store) is None


def test_a_new_password_ends_the_sessions(store):
    ann = user(store)
    with store.reading() as session:
        assert accounts.of_session(session, ann.id, ann.sessions_since) is not None
    change(store, accounts.set_password, "ann", "another long password")
    with store.reading() as session:
        assert accounts.of_session(session, ann.id, ann.sessions_since) is None
    assert logged_in(store) is None
    assert logged_in(store, password="another long password") is not None


def test_a_disabled_user_comes_in_by_no_way_and_an_enabled_one_logs_in_anew(store):
    ann = user(store)
    _, key = change(store, accounts.issue_key, "ann", "ci")
    change(store, accounts.disable, "ann")
    with store.reading() as session:
        assert accounts.authenticate(session, "ann", PASSWORD) is None
        assert accounts.of_key(session, key) is None
        assert accounts.of_session(session, ann.id, ann.sessions_since) is None
    change(store, accounts.enable, "ann")
    with store.reading() as session:
        assert accounts.authenticate(session, "ann", PASSWORD) is not None
        assert accounts.of_key(session, key).name == "ann"
        assert accounts.of_session(session, ann.id, ann.sessions_since) is None


def test_a_revoked_key_opens_nothing_and_its_sister_still_does(store):
    user(store)
    first, key = change(store, accounts.issue_key, "ann", "first")
    _, other = change(store, accounts.issue_key, "ann", "second")
    assert key != other
    moment = change(store, accounts.revoke_key, first.id).revoked
    assert change(store, accounts.revoke_key, first.id).revoked == moment
    with store.reading() as session:
        assert accounts.of_key(session, key) is None
        assert accounts.of_key(session, other).name == "ann"
        assert [(owner, one.name, one.revoked) for owner, one in accounts.keys(session)] == [
            ("ann", "first", moment),
            ("ann", "second", None),
        ]


def test_what_is_not_there_is_named(store):
    with pytest.raises(NotFoundError, match="no user 'bob'"):
        change(store, accounts.set_role, "bob", "agent")
    with pytest.raises(NotFoundError, match="no API key of the id 'x'"):
        change(store, accounts.revoke_key, "x")


def test_the_last_admin_stays(store):
    user(store, "ann", "admin")
    user(store, "bob", "agent")
    for what in ((accounts.disable, "ann"), (accounts.set_role, "ann", "viewer")):
        with pytest.raises(SteerError, match="ann is the last admin"):
            change(store, *what)
    change(store, accounts.disable, "bob")  # no admin is lost
    change(store, accounts.set_role, "bob", "admin")
    with pytest.raises(SteerError, match="ann is the last admin"):
        change(store, accounts.disable, "ann")  # bob is disabled
    change(store, accounts.enable, "bob")
    change(store, accounts.set_role, "ann", "viewer")
    with store.reading() as session:
        assert accounts.has_admin(session)


def test_two_admins_who_disable_each_other_at_once_leave_one(store):
    user(store, "ann", "admin")
    user(store, "bob", "admin")
    start = Barrier(2)

    def disable(name: str) -> bool:
        start.wait()
        try:
            change(store, accounts.disable, name)
        except SteerError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            assert sorted(pool.map(disable, ["ann", "bob"])) == [False, True]
            for name in ("ann", "bob"):
                change(store, accounts.enable, name)
