"""Whose votes a retraining learns from, and whose are its proof, so that nobody sways it alone.

- Equal states count once: what people think of the same action in the same state is one row, with the newest opinion
  of each of them.
- Nobody has a larger share than the person in the middle (or `LEAST` rows): of more, the newest count.
- People are divided, not their votes: a candidate is proven on votes of other people than those it learnt from.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from statistics import median

from core.training.feedback import DecisionWithFeedback, Feedback

LEAST = 5
_FIFTH = 5

Rows = list[DecisionWithFeedback]


@dataclass(frozen=True)
class Votes:
    """Judged decisions by their use, each group oldest first.

    Attributes:
        learnt: Those that the candidate is trained on.
        held: Those that say when to stop.
        proof: Those that the candidate is measured on.
        people: Number of people whose votes these are.
    """

    learnt: Rows
    held: Rows
    proof: Rows
    people: int

    def __len__(self) -> int:
        """Number of different decisions that somebody judged; several groups may hold one of them."""
        return len({row.decision.id for rows in (self.learnt, self.held, self.proof) for row in rows})


def count_votes(judged: Sequence[DecisionWithFeedback], salt: str) -> Votes:
    """The votes that count, divided.

    Args:
        judged: Judged decisions, oldest first.
        salt: Text that decides who is in which group, another one in each retraining.
    """
    rows = _in_equal_shares(_once_each(judged))
    people = sorted(_people(rows), key=lambda name: sha256(f"{salt} {name}".encode()).digest())
    if len(people) < _FIFTH:  # too few to be divided: the newest fifth of what they said is the proof
        cut = len(rows) - len(rows) // _FIFTH
        held = rows[:cut][_FIFTH // 2 :: _FIFTH]
        learnt = [row for at, row in enumerate(rows[:cut]) if at % _FIFTH != _FIFTH // 2]
        return Votes(learnt, held, rows[cut:], len(people))
    proof, held_by = set(people[::_FIFTH]), set(people[1::_FIFTH])
    learnt_from = set(people) - proof - held_by
    return Votes(_of(rows, learnt_from), _of(rows, held_by), _of(rows, proof), len(people))


def _once_each(judged: Iterable[DecisionWithFeedback]) -> Rows:
    """One row for each action in each state, under the newest decision, with the newest word of everybody."""
    rows: dict[str, DecisionWithFeedback] = {}
    for each in judged:
        key = _key(each)
        before = rows.pop(key).feedback if key in rows else ()
        said: dict[tuple[str, str], Feedback] = {}
        for opinion in sorted((*before, *each.feedback), key=lambda opinion: opinion.time):
            said.pop((opinion.owner, opinion.subject), None)
            said[opinion.owner, opinion.subject] = opinion
        rows[key] = replace(each, feedback=tuple(said.values()))
    return list(rows.values())


def _key(each: DecisionWithFeedback) -> str:
    """What the policy saw and did; how sure it was depends on the version."""
    seen = {name: value for name, value in each.decision.state.items() if name != "confidence"}
    return json.dumps([seen, each.decision.action], sort_keys=True)


def _in_equal_shares(rows: Rows) -> Rows:
    counts = Counter(name for row in rows for name in _people([row]))
    most = max(LEAST, int(median(counts.values()))) if counts else 0
    used: Counter[str] = Counter()
    kept: Rows = []
    for row in reversed(rows):
        names = {name for name in _people([row]) if used[name] < most}
        used.update(names)
        kept += _of([row], names)
    return kept[::-1]


def _people(rows: Iterable[DecisionWithFeedback]) -> set[str]:
    return {opinion.owner for row in rows for opinion in row.feedback}


def _of(rows: Iterable[DecisionWithFeedback], people: set[str]) -> Rows:
    """Rows with the opinions of some people alone; those that none of them judged are left out."""
    theirs = (
        replace(row, feedback=tuple(opinion for opinion in row.feedback if opinion.owner in people)) for row in rows
    )
    return [row for row in theirs if row.feedback]
