"""Decisions and what people think of them, on both engines."""

from datetime import UTC, datetime, timedelta

import pytest

from core.platform.store import decisions
from core.platform.store.schema import Decision

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
