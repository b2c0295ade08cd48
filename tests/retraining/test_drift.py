"""The detectors fire on a real change, and stay silent where there is none."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from core.platform.retraining.drift import detect, drifts
from core.platform.store import decisions
from core.platform.store.schema import Decision

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def readings(values) -> list[tuple[datetime, float]]:
    return [(BEGIN + timedelta(minutes=at), float(value)) for at, value in enumerate(values)]


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_signal_is_no_drift(seed):
    chance = np.random.default_rng(seed)
    assert detect("inputs", readings(chance.beta(8, 2, 2000))) is None
    assert detect("outcomes", readings(chance.choice([1, -1], 2000, p=[0.8, 0.2]))) is None


@pytest.mark.parametrize("seed", range(5))
def test_people_who_turn_dissatisfied_are_noticed_with_the_time(seed):
    chance = np.random.default_rng(seed)
    values = [*chance.choice([1, -1], 600, p=[0.8, 0.2]), *chance.choice([1, -1], 400, p=[0.3, 0.7])]
    found = detect("outcomes", readings(values))
    assert found.after < found.before - 0.5
    assert timedelta(minutes=300) < found.since - BEGIN <= timedelta(minutes=600)


def test_both_signals_come_from_the_store_in_the_order_of_time(store):
    chance = np.random.default_rng(0)
    sure = np.concatenate([chance.beta(9, 2, 400), chance.beta(4, 6, 400)])
    rows = [
        Decision(app="wishes", owner="ann", version="v0001", time=time, state=state, action=[0], propensity=1.0)
        for (time, value) in readings(sure)
        for state in [{"confidence": value}]
    ]
    with store.transaction() as session:
        session.add_all([rows[at] for at in chance.permutation(len(rows))])
        session.flush()
        for decision in rows[::2]:
            decisions.judge(session, decision.id, "ann", float(chance.choice([1.0, -1.0], p=[0.8, 0.2])), {})
    found = drifts(store, "wishes", BEGIN - timedelta(days=1))
    assert [drift.signal for drift in found] == ["inputs"]
    assert timedelta(minutes=300) < found[0].since - BEGIN <= timedelta(minutes=400)
    assert str(found[0]).startswith("how sure the policy is has changed, 2026-03-01 05:")
    assert drifts(store, "other", BEGIN) == []
