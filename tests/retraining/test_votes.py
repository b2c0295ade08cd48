"""One person can neither sway a retraining nor be the proof of their own votes."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from core.cli.retrain_progress import ConsoleProgress
from core.platform.retraining.run_once import RetrainingPolicy, run_once
from core.platform.retraining.votes import LEAST, count_votes
from core.platform.store import decisions, versions
from core.training.feedback import DecisionWithFeedback, Feedback, LoggedDecision
from tests.retraining.wishes import Wishes

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def judged(number: int, text: str, votes: dict[str, float], action: str = "a", minutes: int | None = None):
    time = NOON + timedelta(minutes=number)
    state = {"text": text, "confidence": number / 1000}
    said = [Feedback(name, "", value, {}, time + timedelta(minutes=minutes or 0)) for name, value in votes.items()]
    return DecisionWithFeedback(LoggedDecision(f"d{number}", state, [action], 1.0, time), tuple(said))


def everything(votes) -> list[DecisionWithFeedback]:
    return [*votes.learnt, *votes.held, *votes.proof]


def counts(rows) -> Counter:
    return Counter(said.owner for row in rows for said in row.feedback)


def test_equal_states_count_once_with_the_last_word_of_everybody():
    rows = [judged(at, "one question", {"eve": -1.0}) for at in range(70)]
    rows += [judged(70, "one question", {"bob": 1.0}), judged(71, "one question", {"eve": 1.0}, minutes=5)]
    rows += [judged(72, "one question", {"eve": -1.0}, action="b"), judged(73, "another", {"eve": 1.0})]
    votes = count_votes(rows, "v0001")
    kept = sorted(everything(votes), key=lambda row: row.decision.id)
    assert len(votes) == 3
    assert [row.decision.id for row in kept] == ["d71", "d72", "d73"]  # the newest stands for all
    assert {said.owner: said.value for said in kept[0].feedback} == {"bob": 1.0, "eve": 1.0}


def test_nobody_counts_for_more_than_the_person_in_the_middle():
    rows = [judged(at, f"said {at}", {"eve": -1.0}) for at in range(500)]
    rows += [judged(500 + at, f"asked {at}", {f"honest {at % 20}": 1.0}) for at in range(160)]
    voters = counts(everything(count_votes(rows, "v0001")))
    assert len(voters) == 21
    assert set(voters.values()) == {8}


def test_few_votes_are_not_cut_to_fewer_still():
    rows = [judged(at, f"said {at}", {"eve": -1.0}) for at in range(50)]
    rows += [judged(50 + at, f"asked {at}", {f"honest {at}": 1.0}) for at in range(20)]
    assert counts(everything(count_votes(rows, "v0001")))["eve"] == LEAST


def test_the_proof_is_of_other_people_than_those_learnt_from():
    rows = [judged(at, f"said {at % 30}", {f"person {at % 11}": 1.0, f"person {at % 7}": -1.0}) for at in range(300)]
    votes = count_votes(rows, "v0001")
    groups = [set(counts(part)) for part in (votes.learnt, votes.held, votes.proof)]
    assert all(groups)
    assert votes.people == sum(map(len, groups)) == len(set.union(*groups)) == 11
    other = count_votes(rows, "v0002")
    assert set(counts(other.proof)) != groups[2]  # the next time, others are


@pytest.mark.parametrize("people", [1, 4])
def test_what_few_people_say_is_divided_by_time(people):
    votes = count_votes([judged(at, f"said {at}", {f"p{at % people}": 1.0}) for at in range(16)], "v0001")
    assert [len(part) for part in (votes.learnt, votes.held, votes.proof)] == [10, 3, 3]
    assert [row.decision.id for row in votes.proof] == ["d13", "d14", "d15"]
    assert votes.people == people


def test_no_votes_are_no_votes():
    votes = count_votes([], "v0001")
    assert (len(votes), votes.people, everything(votes)) == (0, 0, [])


def test_one_person_who_repeats_one_question_changes_nothing(library, runs):
    said = Console(record=True, width=200)
    with library.store.transaction() as session:
        for _ in range(70):
            made = {"app": Wishes.name, "owner": "eve", "version": "v0001", "state": {"text": "bake the bread"}}
            decision = decisions.keep(session, **made, action=[0], propensity=1.0)
            decisions.judge(session, decision, "eve", -1.0, {})
    policy = RetrainingPolicy(min_decisions=50, on_drift=False, promote=True, requested_by="test")
    run_once(Wishes, library, runs, [], policy, ConsoleProgress(said))
    assert "feedback about 1 different decisions since v0001 was made" in said.export_text()


def test_votes_of_too_few_people_do_not_promote_by_themselves(library, runs, judge_music):
    judge_music(2)
    said = Console(record=True, width=200)
    policy = RetrainingPolicy(min_decisions=20, on_drift=False, promote=True, requested_by="test")
    run_once(Wishes, library, runs, ["rl.iterations=2", "rl.warmup_ratio=0"], policy, ConsoleProgress(said))
    assert "v0002 is registered and not promoted: its feedback is of 2 people, and --min-people is 5" in (
        said.export_text()
    )
    with library.store.reading() as session:
        assert versions.current(session, Wishes.name).name == "v0001"
