"""Records that may be there already, written on both engines."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.platform.store.schema import ModelVersion, User
from core.platform.store.upsert import put, put_once

KEYS = ["app", "name"]


def version(name: str, app: str = "shop", **values: object) -> dict:
    return {"app": app, "name": name, "folder": f"/{name}", "fingerprint": "f", "metrics": {}, **values}


def notes(store) -> dict[tuple[str, str], tuple[str, str]]:
    with store.reading() as session:
        found = session.scalars(select(ModelVersion)).all()
        return {(row.app, row.name): (row.folder, row.note) for row in found}


def test_rows_of_known_keys_take_over_the_values_given_and_keep_the_others(store):
    with store.transaction() as session:
        put(session, ModelVersion, [version("v1", note="first"), version("v2", note="second")], KEYS)
        put(session, ModelVersion, [version("v2", folder="/moved"), version("v3", folder="/new")], KEYS)
    assert notes(store) == {
        ("shop", "v1"): ("/v1", "first"),
        ("shop", "v2"): ("/moved", "second"),
        ("shop", "v3"): ("/new", ""),
    }


def test_rows_that_differ_in_one_key_are_different_rows(store):
    with store.transaction() as session:
        put(session, ModelVersion, [version("v1"), version("v1", app="chat", folder="/chat")], KEYS)
    assert notes(store) == {("shop", "v1"): ("/v1", ""), ("chat", "v1"): ("/chat", "")}


def test_put_once_returns_the_new_records_and_leaves_the_old_as_they_are(store):
    with store.transaction() as session:
        first = put_once(session, ModelVersion, [version("v1", note="first")], KEYS)
        rows = [version("v1", note="again"), version("v2", note="new")]
        second = put_once(session, ModelVersion, rows, KEYS)
        assert [record.name for record in first] == ["v1"]
        assert [(record.name, record.note) for record in second] == [("v2", "new")]
    assert notes(store) == {("shop", "v1"): ("/v1", "first"), ("shop", "v2"): ("/v2", "new")}


def test_one_row_takes_over_too(store):
    for note in ("first", "second"):
        with store.transaction() as session:
            put(session, ModelVersion, [version("v1", note=note)], KEYS)
    assert notes(store) == {("shop", "v1"): ("/v1", "second")}


@pytest.mark.parametrize("write", [put, put_once])
def test_another_constraint_than_the_keys_is_not_passed_over_in_silence(store, write):
    ann = {"id": "1", "name": "ann", "role": "user", "password_hash": "x"}
    with store.transaction() as session:
        write(session, User, [ann], ["name"])
    with pytest.raises(IntegrityError), store.transaction() as session:
        write(session, User, [{**ann, "name": "bob"}], ["name"])


def test_nothing_to_write_writes_nothing(store):
    with store.transaction() as session:
        put(session, ModelVersion, [], KEYS)
        assert put_once(session, ModelVersion, [], KEYS) == []
    assert notes(store) == {}


def test_of_many_writers_at_once_one_is_the_first(store):
    def write(number: int) -> int:
        with store.transaction() as session:
            return len(put_once(session, ModelVersion, [version("v1", note=str(number))], KEYS))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 1
