"""A person is erased from every table of every app, and old rows go, on both engines."""

import asyncio
import random
import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from apps.customer_service import tables as support
from apps.customer_service.tables import Turn
from apps.finance_monitor import tables as finance
from apps.finance_monitor.tables import Alert, AlertChange, News
from apps.recommender import tables as shop
from apps.recommender.tables import Event
from core.platform.store import accounts, decisions, erasure, jobs, versions
from core.platform.store.database import Store, open_store
from core.platform.store.erasure import erase_person, purge
from core.platform.store.schema import Decision, Feedback, Table, now
from core.util.errors import NotFoundError, SteerError

PASSWORD = "correct horse battery"
SECRET = "Zaphod-Beeblebrox-IBAN-4711"
TABLES = Table.metadata.tables.values()


@pytest.fixture
def people(store) -> Store:
    """An admin, and two viewers of whom each has said and done something in every app."""
    with store.transaction() as session:
        accounts.create(session, "root", PASSWORD, "admin")
        alert = _alert(session)
        for at, name in enumerate(("ann", "bob")):
            accounts.create(session, name, PASSWORD, "viewer")
            accounts.issue_key(session, name, "ci")
            _live(session, name, alert, at)
    return store


def _alert(session, key: str = "a", state: str = "open") -> Alert:
    row = {"key": key, "company": "x", "opened": now(), "state": state, "severity": "raised", "reason": {}}
    return finance.keep_alert(session, "finance_monitor", row, "monitor")[0]


def _live(session, name: str, alert: Alert, at: int = 0) -> None:
    said = f"{SECRET} of {name}"
    talk = support.start(session, "customer_service", name)
    decision = _decision(session, "customer_service", name, {"messages": [said]})
    exchange = [Turn(role="user", text=said), Turn(role="assistant", text="yes", decision_id=decision)]
    support.append(session, talk.id, 0, exchange)
    for_another = support.start(session, "customer_service", "")
    assert support.take_over(session, for_another.id, name) == name
    decisions.judge(session, decision, name, -1.0, {"comment": said})
    decisions.judge(session, decision, "root", 1.0, {"comment": f"as {said} says"})
    shown = _decision(session, "recommender", name, {"words": said})
    for owner in (name, "root"):  # an agent may speak of anybody's list
        event = {"app": "recommender", "owner": owner, "key": f"{owner}-{at}", "kind": "like", "item": "7"}
        shop.add_event(session, {**event, "decision_id": shown})
    label = _decision(session, "finance_monitor", "", {"headline": "public"}, f"label {at}")
    decisions.judge(session, label, name, 1.0, {"topic": "legal"})
    decisions.judge(session, label, "root", 1.0, {"topic": "legal"})
    finance.change_alert(session, alert, "acknowledged", name, said)
    version = versions.add(session, "customer_service", f"v{at:04}", "", "", {}, "")
    versions.promote(session, version, name)
    jobs.enqueue(session, f"shop-{at}", name)


def _decision(session, app: str, owner: str, state: dict, identity: str | None = None) -> str:
    made = {"app": app, "owner": owner, "version": "v0001", "state": state, "action": ["a"], "propensity": 1.0}
    return decisions.keep(session, **made, decision_id=identity)


def _written(store: Store) -> str:
    """Everything that the store holds, as text."""
    with store.reading() as session:
        return "\n".join(str(tuple(row)) for table in TABLES for row in session.execute(select(table)))


def _counts(store: Store) -> dict[str, int]:
    with store.reading() as session:
        return {table.name: session.scalar(select(func.count()).select_from(table)) for table in TABLES}


def test_of_an_erased_person_neither_word_nor_name_is_left(people):
    assert "ann" in _written(people)
    with people.transaction() as session:
        erase_person(session, " ANN ")
    left = _written(people)
    assert "ann" not in left
    assert left.count(f"{SECRET} of bob") == 6
    with people.reading() as session:
        assert [(step.state, step.who) for step in session.scalars(select(AlertChange).order_by(AlertChange.id))] == [
            ("open", "monitor"), ("acknowledged", ""), ("acknowledged", "bob"),
        ]  # fmt: skip


def test_what_an_erased_admin_let_serve_and_had_trained_is_nobodys(people):
    with people.transaction() as session:
        erase_person(session, "ann")
    with people.reading() as session:
        promoted = versions.history(session, "customer_service")
        assert [(promotion.version, promotion.who) for promotion in promoted] == [("v0000", ""), ("v0001", "bob")]
        assert [jobs.newest(session, f"shop-{at}").owner for at in range(2)] == ["", "bob"]


def test_of_every_table_that_names_somebody_it_is_tried(people):
    named = [table for table in TABLES if {"owner", "who"} & set(table.columns.keys())]
    with people.reading() as session:
        silent = [table.name for table in named if "ann" not in str(session.execute(select(table)).all())]
    assert silent == []


def test_what_others_made_stays_without_what_it_was_about(people):
    with people.transaction() as session:
        erase_person(session, "ann")
    with people.reading() as session:
        ((kept,),) = session.execute(select(Event.decision_id).where(Event.owner == "root", Event.key == "root-0"))
        labels = {judged.decision.id: judged for judged in decisions.judged(session, "finance_monitor")}
    assert kept is None  # root still likes the film, of a list that is gone
    assert [said.owner for said in labels["label 0"].feedback] == ["root"]
    assert len(labels["label 1"].feedback) == 2


def test_whoever_is_gone_or_was_never_there_is_told(people):
    with people.transaction() as session:
        erase_person(session, "ann")
    before = _counts(people)
    for name in ("ann", "nobody", "a NUL \0", "half \ud800", "' OR 1=1 --", ""):
        with pytest.raises(NotFoundError, match="nothing is kept"), people.transaction() as session:
            erase_person(session, name)
    assert _counts(people) == before


def test_what_has_an_owner_without_an_account_is_erased_too(store):
    with store.transaction() as session:
        accounts.create(session, "root", PASSWORD, "admin")
        _live(session, "local", _alert(session))
        assert erase_person(session, "local")
    assert SECRET not in _written(store).replace("as ", "")
    assert "local" not in _written(store)


def test_nobody_is_left_who_could_administer_is_refused(people):
    with pytest.raises(SteerError, match="root is the last admin"), people.transaction() as session:
        erase_person(session, "root")
    assert "root" in _written(people)


def test_the_next_of_that_name_inherits_nothing_and_old_requests_write_nothing(people):
    with people.transaction() as session:
        account = accounts.find(session, "ann").id
        accounts.hold(session, account)
        accounts.hold(session, None)
        erase_person(session, "ann")
    with people.transaction() as session:
        accounts.create(session, "ann", PASSWORD, "viewer")
        assert support.newest(session, "customer_service", "ann", 10) == []
        with pytest.raises(NotFoundError, match="deleted meanwhile"):
            accounts.hold(session, account)


def test_whoever_writes_while_they_are_erased_leaves_nothing(people):
    """The writer has made sure of its account; the eraser must wait for it, or it for the eraser."""
    with people.reading() as session:
        account = accounts.find(session, "ann").id
    is_written, may_end = threading.Event(), threading.Event()

    def write() -> None:
        with people.transaction() as session:
            accounts.hold(session, account)
            _decision(session, "customer_service", "ann", {"messages": [SECRET]})
            is_written.set()
            may_end.wait(20)

    def erase() -> None:
        with people.transaction() as session:
            erase_person(session, "ann")

    threads = [threading.Thread(target=write), threading.Thread(target=erase)]
    threads[0].start()
    assert is_written.wait(20)
    threads[1].start()
    threads[1].join(0.5)
    may_end.set()
    for thread in threads:
        thread.join(30)
    assert "ann" not in _written(people)


def test_the_database_knows_what_becomes_of_every_reference():
    assert [key.name for table in Table.metadata.tables.values() for key in table.foreign_key_constraints
            if key.ondelete not in ("CASCADE", "SET NULL")] == []  # fmt: skip


def test_old_rows_go_and_young_ones_stay(store):
    old, young = now() - timedelta(days=40), now() - timedelta(days=20)
    with store.transaction() as session:
        talks = {name: support.start(session, "customer_service", "ann") for name in ("over", "going on", "empty")}
        for talk in talks.values():
            talk.created = old
        for number, (name, time) in enumerate([("over", old), ("going on", old), ("going on", young)]):
            session.add(Turn(conversation_id=talks[name].id, number=number, role="user", text=name, time=time))
        for time, name in ((old, "old"), (young, "young")):
            made = {"app": "recommender", "owner": "ann", "version": "v1", "state": {}, "action": [], "propensity": 1.0}
            session.add(Decision(id=name, time=time, **made))
            session.flush()
            decisions.judge(session, name, "ann", 1.0, {})
            event = {"app": "recommender", "owner": "ann", "kind": "like", "item": "7", "time": time}
            session.add(Event(key=name, decision_id="old", **event))
            session.add(News(key=name, time=time, company="x", headline="h", arrived=time))
        for key, state, time in (("a", "resolved", old), ("b", "resolved", young), ("c", "open", old)):
            alert = _alert(session, key, state)
            for step in session.scalars(select(AlertChange).where(AlertChange.alert_id == alert.id)):
                step.time = time
        before = now() - timedelta(days=30)
        assert erasure.expired(session, before) == 6
    assert purge(store, before) == 6
    assert purge(store, before) == 0
    with store.reading() as session:
        assert session.scalars(select(Turn.text).order_by(Turn.number)).all() == ["going on", "going on"]
        assert session.scalars(select(Decision.id)).all() == ["young"]
        assert session.scalars(select(Feedback.decision_id)).all() == ["young"]
        assert session.execute(select(Event.key, Event.decision_id)).all() == [("young", None)]
        assert session.scalars(select(News.key)).all() == ["young"]
        assert session.scalars(select(Alert.key).order_by(Alert.key)).all() == ["b", "c"]


def test_the_newest_item_outlives_its_time_since_it_says_how_far_a_monitor_has_read(store):
    with store.transaction() as session:
        for days in (60, 50, 40):
            old = now() - timedelta(days=days)
            session.add(News(key=f"{days}", time=old, company="x", headline="h", arrived=old))
            session.flush()
    assert purge(store, now()) == 2
    with store.transaction() as session:
        row = {"key": "new", "time": now(), "company": "x", "headline": "h"}
        assert finance.add(session, "finance_monitor", [row])[0].id == 4


def test_more_than_a_portion_is_purged(store, monkeypatch):
    monkeypatch.setattr(erasure, "_PORTION", 7)
    with store.transaction() as session:
        for at in range(30):
            support.start(session, "customer_service", f"{at}")
    assert purge(store, now() + timedelta(days=1)) == 30


def test_an_erased_word_leaves_the_file_and_its_log(tmp_path):
    """SQLite's own `secure_delete` leaves copies of rows that moved within the file, as these do."""
    store, chance = open_store(f"sqlite:///{tmp_path / 'steer.db'}"), random.Random(1)
    for number in range(20):
        with store.transaction() as session:
            for _ in range(100):
                owner = chance.choice(["ann", "bob"])
                text = f"{SECRET if owner == 'ann' else 'harmless'} " * chance.choice([1, 3, 10, 100, 400])
                _decision(session, "recommender", owner, {"words": text})
        if number % 4 == 3:
            asyncio.run(store.erase(lambda session: erase_person(session, "ann")))
            left = [file.name for file in tmp_path.iterdir() if SECRET.encode() in file.read_bytes()]
            assert left == []
    store.close()


def test_traces_stay_known_while_somebody_reads_an_earlier_moment(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'steer.db'}")
    with store.transaction() as session:
        _decision(session, "recommender", "ann", {"words": SECRET})
    with store.reading() as session:
        session.scalar(select(func.count()).select_from(Decision))
        asyncio.run(store.erase(lambda session: erase_person(session, "ann")))
        assert store.scrubber.has_traces
        with pytest.raises(SteerError, match="steer store purge"):
            store.scrubber.scrub()
    store.scrubber.scrub()
    assert not store.scrubber.has_traces
    assert not [file.name for file in tmp_path.iterdir() if SECRET.encode() in file.read_bytes()]
    store.close()
