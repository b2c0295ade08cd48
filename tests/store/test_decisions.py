"""Decisions and what people think of them, on both engines."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from core.platform.store import decisions
from core.platform.store.database import open_store
from core.platform.store.schema import Decision, Feedback
from core.training import feedback as training
from core.training.feedback import LoggedDecision

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_newest_opinion_of_each_person_counts(store):
    made = {"app": "support", "owner": "ann", "version": "v1", "state": {"said": ["ü"]}, "action": [0]}
    with store.transaction() as session:
        decision = decisions.keep(session, **made, propensity=1.0)
        decisions.judge(session, decision, "ann", 1.0, {})
        decisions.judge(session, decision, "ann", -1.0, {"why": "no"})
        decisions.judge(session, decision, "bob", 0.0, {})
    with store.reading() as session:
        (judged,) = decisions.judged(session, "support")
        assert judged.value == -0.5
        assert judged.decision.state == {"said": ["ü"]}
        assert judged.decision.id == decision
        assert datetime.now(UTC) - judged.decision.time < timedelta(minutes=1)
        assert decisions.judged(session, "other") == []
        assert decisions.judged(session, "support", datetime.now(UTC) + timedelta(seconds=5)) == []


def test_opinions_of_the_items_of_a_decision_judge_it(store):
    shown = [
        Decision(app="films", owner="ann", version="v1", time=NOON + timedelta(minutes=at), state={}, action=[at],
                 propensity=1.0)
        for at in range(3)
    ]  # fmt: skip
    with store.transaction() as session:
        session.add_all(reversed(shown))
        session.flush()
        for subject, value, at in [("7", 1.0, 2), ("8", -1.0, 2), ("9", 1.0, 2), ("7", -1.0, 0), ("5", 1.0, 1)]:
            decisions.judge(session, shown[at].id, "ann", value, {}, subject)
        decisions.withdraw(session, shown[1].id, "ann", "5")
    with store.reading() as session:
        judged = decisions.judged(session, "films")
        assert [each.decision.id for each in judged] == [shown[0].id, shown[2].id]
        assert [each.value for each in judged] == [-1.0, pytest.approx(1 / 3)]
        assert [said.subject for said in judged[1].feedback] == ["7", "8", "9"]
        assert decisions.judged(session, "films", until=NOON) == []
        assert [each.id for each in decisions.made(session, "films", NOON)] == [shown[1].id, shown[2].id]


def test_an_opinion_of_no_item_is_of_the_whole_decision(store):
    with store.transaction() as session:
        session.add(decision("whole"))
        session.flush()
        decisions.judge(session, "whole", "ann", 1.0, {})
    with store.reading() as session:
        ((said,),) = [each.feedback for each in decisions.judged(session, "films")]
        assert said.subject == ""


def decision(identity: str, minutes: int = 0, app: str = "films") -> Decision:
    time = NOON + timedelta(minutes=minutes)
    made = {"state": {"s": identity}, "action": [identity], "propensity": 0.25}
    return Decision(id=identity, app=app, owner="ann", version="v1", time=time, **made)


def opinion(of: str, minutes: int, owner: str = "ann", value: float = 1.0) -> Feedback:
    time = NOON + timedelta(minutes=minutes)
    return Feedback(decision_id=of, owner=owner, subject="7", value=value, about={"why": owner}, time=time)


def test_a_decision_is_found_by_its_id_within_its_app(store):
    with store.transaction() as session:
        session.add(decision("d1"))
    with store.reading() as session:
        assert decisions.find(session, "films", "d1").action == ["d1"]
        assert decisions.find(session, "support", "d1") is None
        assert decisions.find(session, "films", "d2") is None


def test_opinions_of_one_person_about_the_decisions_of_an_app_are_withdrawn(store):
    with store.transaction() as session:
        session.add_all([decision("d1"), decision("d2"), decision("d3", app="support")])
        session.flush()
        session.add_all([opinion(of, 1, owner) for of in ("d1", "d2", "d3") for owner in ("ann", "bob")])
        session.flush()
        decisions.withdraw_all(session, "films", "ann")
    with store.reading() as session:
        owners = {app: [[said.owner for said in each.feedback] for each in decisions.judged(session, app)]
                  for app in ("films", "support")}  # fmt: skip
    assert owners == {"films": [["bob"], ["bob"]], "support": [["ann", "bob"]]}


def test_feedback_behind_a_moment_and_up_to_another_is_read(store):
    with store.transaction() as session:
        session.add_all([decision("d1"), decision("d2"), decision("d3")])
        session.flush()
        session.add_all([opinion("d1", 1), opinion("d2", 2), opinion("d3", 3)])
    at = [NOON + timedelta(minutes=minutes) for minutes in range(5)]
    with store.reading() as session:

        def ids(since=None, until=None) -> list[str]:
            return [each.decision.id for each in decisions.judged(session, "films", since, until)]

        assert ids() == ["d1", "d2", "d3"]
        assert ids(since=at[1]) == ["d2", "d3"]  # what came just then was read before
        assert ids(until=at[2]) == ["d1", "d2"]
        assert ids(at[1], at[2]) == ["d2"]
        assert ids(since=at[3]) == ids(until=at[0]) == []


def test_decisions_come_oldest_first_and_their_opinions_too(store):
    with store.transaction() as session:
        session.add_all([decision("c"), decision("b", 5), decision("a", 5), decision("x", 9)])
        session.flush()
        said = [("a", 8, "eve"), ("b", 7, "dan"), ("a", 6, "cid"), ("c", 9, "bob"), ("b", 6, "ann"), ("b", 6, "abe")]
        for of, minutes, owner in said:
            session.add(opinion(of, minutes, owner))
            session.flush()
    with store.reading() as session:
        judged = decisions.judged(session, "films")
        assert [each.decision.id for each in judged] == ["c", "a", "b"]
        assert [[said.owner for said in each.feedback] for each in judged] == [
            ["bob"],
            ["cid", "eve"],
            ["ann", "abe", "dan"],
        ]
        assert [each.id for each in decisions.made(session, "films")] == ["c", "a", "b", "x"]
        assert [each.id for each in decisions.made(session, "films", NOON + timedelta(minutes=5))] == ["x"]


def test_what_is_learnt_from_is_what_was_noted(store):
    with store.transaction() as session:
        session.add(decision("d1"))
        session.flush()
        session.add(opinion("d1", 3, "bob", -0.5))
    with store.reading() as session:
        (judged,) = decisions.judged(session, "films")
    assert judged.decision == LoggedDecision("d1", {"s": "d1"}, ["d1"], 0.25, NOON)
    assert judged.feedback == (training.Feedback("bob", "7", -0.5, {"why": "bob"}, NOON + timedelta(minutes=3)),)


def test_a_decision_that_was_found_stays_until_what_is_said_of_it_is_kept(store):
    with store.transaction() as session:
        session.add(decision("d1"))
    judging, deleting = threading.Event(), threading.Event()

    def remove() -> None:
        with store.transaction() as session:
            deleting.set()
            session.execute(delete(Decision).where(Decision.id == "d1"))
        assert judging.is_set()

    with ThreadPoolExecutor(1) as pool:
        with store.transaction() as session:
            assert decisions.find(session, "films", "d1") is not None
            removed = pool.submit(remove)
            wait([removed], timeout=0.3)
            decisions.judge(session, "d1", "bob", 1.0, {})
            judging.set()
        removed.result()


def test_in_postgresql_several_may_judge_a_decision_at_the_same_time(postgres):
    store = open_store(postgres.database("judged_at_once"))
    with store.transaction() as session:
        session.add(decision("d1"))
    with store.transaction() as session, store.transaction() as other:
        for person, at_once in (("ann", session), ("bob", other)):
            assert decisions.find(at_once, "films", "d1") is not None
            decisions.judge(at_once, "d1", person, 1.0, {})
    with store.reading() as session:
        ((*said,),) = [each.feedback for each in decisions.judged(session, "films")]
        assert {each.owner for each in said} == {"ann", "bob"}
    store.close()


def test_decisions_are_counted_by_app(store):
    with store.transaction() as session:
        session.add_all([decision("d1"), decision("d2"), decision("d3", app="support")])
    with store.reading() as session:
        assert [decisions.count(session, app) for app in ("films", "support", "news")] == [2, 1, 0]
