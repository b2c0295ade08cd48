"""One version of the recommender as the service asks it: a list with reasons for a visitor."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from apps.recommender.catalogue import Catalogue, checked_words
from apps.recommender.data import Item
from apps.recommender.diversity import diverse_lists
from apps.recommender.engine import Listed, RecommenderEngine, Wanted
from apps.recommender.explanations import Explanations, Reason
from apps.recommender.splits import PICKS
from apps.recommender.task import Recommender
from apps.recommender.wishes.wish import NO_WISH, Condition, Wish
from core.platform.inference.engine import Engine
from core.rl.explore import Explorer

Kind = Literal["like", "hide"]

# A newcomer's list is drawn from so many of the best-loved items; a distance of 1 is worth so much popularity.
_BEST_LOVED = 100
_NEWCOMER_TRADE_OFF = 1.5


@dataclass(frozen=True)
class Event:
    """What a visitor did with an item, by its id."""

    kind: Kind
    item: str


@dataclass(frozen=True)
class Visitor:
    """All that is known of a visitor.

    Attributes:
        user: Id of a user whom the data know, whose past counts; None for somebody else.
        words: Words that the visitor wrote about their taste.
        events: Likes and hides, oldest first; the last word about an item counts.
        shown: Items of each list of this visit that the visitor has gone on from, oldest first; none comes again.
    """

    user: str | None = None
    words: str = ""
    events: tuple[Event, ...] = ()
    shown: tuple[tuple[str, ...], ...] = ()

    def with_event(self, kind: Kind, item: str) -> "Visitor":
        """The visitor after one more like or hide."""
        return replace(self, events=(*self.events, Event(kind, item)))

    def undone(self) -> "Visitor":
        """The visitor before their last like or hide."""
        return replace(self, events=self.events[:-1])


@dataclass(frozen=True)
class Recommended:
    """An item of the list.

    Attributes:
        item: Item that is recommended.
        score: Strength of that, relative to the first of the list, between 0 and 1.
        reason: Reason for it.
    """

    item: Item
    score: float
    reason: Reason


@dataclass(frozen=True)
class Choice:
    """What the policy decided, by the ids of items, for learning.

    Attributes:
        state: History and candidates, from which the observation can be made again, and whether words had a say.
        action: Items of the list in its order.
        propensity: Probability with which this visitor is shown that very list.
    """

    state: dict[str, Any]
    action: list[str]
    propensity: float


@dataclass(frozen=True)
class Ranked:
    """A list.

    Attributes:
        items: Items, best first.
        liked: Rows of the items that the visitor likes, oldest first, int64.
        choice: Decision of the policy; None where it was not asked, as nothing is known of the visitor.
        wish: Reading of the visitor's words; of words that ask for nothing here, the list is a newcomer's.
        unmet: Conditions of the wish that were given up, as nothing would be left.
    """

    items: list[Recommended]
    liked: np.ndarray
    choice: Choice | None
    wish: Wish = NO_WISH
    unmet: tuple[Condition, ...] = ()


class RecommenderModel:
    """Lists for many visitors at once; keeps nothing of them.

    Args:
        task: Task as its run was trained.
        engine: Engine of the same run.
    """

    def __init__(self, task: Recommender, engine: Engine[RecommenderEngine]) -> None:
        self.task, self.engine, self._builder = task, engine, task.builder
        words = task.workspace.config.words
        self.catalogue = Catalogue(task.data, self._builder.popularity)
        self._explanations = Explanations(self._builder, (words.item, words.items))
        self._not_offered = [item.row for item in task.data.items if not item.is_offered]

    async def rank(self, visitor: Visitor, explorer: Explorer) -> Ranked:
        """Ten items with reasons, or as many as the visitor has not seen; for somebody new, well-loved ones.

        Args:
            visitor: Visitor whom the list is for.
            explorer: Picks the list by its probability.

        Raises:
            SteerError: Unknown user or item, words that are too long or no text, or too many requests wait.
        """
        words = checked_words(visitor.words) if visitor.words else ""
        liked, seen = self._liked_and_seen(visitor)
        if not words and not len(liked):
            return self._for_newcomer(liked, seen)
        listed = await self.engine.answer(RecommenderEngine.lists, Wanted(liked, seen, words, explorer))
        wish = listed.wish
        if words and wish.is_empty:
            return replace(self._for_newcomer(liked, seen), wish=wish)
        if not len(listed.candidates):
            return Ranked([], liked, None, wish, listed.unmet)
        items = listed.candidates[listed.order]
        similarity = listed.similarity[items] if listed.similarity is not None and not wish.like else None
        reasons = self._explanations.explain(items, liked, wish, similarity, listed.unmet)
        strengths = np.exp(listed.scores[listed.order] - listed.scores.max())
        choice = Choice(self._state(listed, words), self._ids(items), listed.propensity)
        return Ranked(self._listed(items, strengths, reasons), liked, choice, wish, listed.unmet)

    def _for_newcomer(self, liked: np.ndarray, seen: np.ndarray) -> Ranked:
        popularity = self._builder.log_popularity
        best = np.argsort(-popularity, kind="stable")
        loved = best[~np.isin(best, seen)][None, :_BEST_LOVED]
        if not loved.size:
            return Ranked([], liked, None)
        distances = self._builder.distances.within(loved)
        items = loved[0, diverse_lists(popularity[loved], distances, _NEWCOMER_TRADE_OFF, PICKS)[0]]
        strengths = popularity[items] / max(popularity[items].max(), 1e-6)  # what is left may be loved by nobody
        return Ranked(self._listed(items, strengths, [Reason("popular")] * len(items)), liked, None)

    def _liked_and_seen(self, visitor: Visitor) -> tuple[np.ndarray, np.ndarray]:
        """Likes of the user's past, then those since, oldest first; and the items that must not be shown."""
        past, seen = self.catalogue.past(visitor.user) if visitor.user is not None else ([], [])
        last: dict[int, Kind] = {}
        for event in visitor.events:
            row = self.catalogue.item(event.item).row
            last.pop(row, None)  # the newest stands at the end
            last[row] = event.kind
        liked = [row for row in past if row not in last] + [row for row, kind in last.items() if kind == "like"]
        shown = [self.catalogue.item(item).row for items in visitor.shown for item in items]
        closed = [*seen, *last, *shown, *self._not_offered]
        return np.array(liked, dtype=np.int64), np.array(closed, dtype=np.int64)

    def _listed(self, items: np.ndarray, strengths: np.ndarray, reasons: list[Reason]) -> list[Recommended]:
        rows = zip(items, strengths, reasons, strict=True)
        return [Recommended(self.catalogue.data.items[item], float(score), reason) for item, score, reason in rows]

    def _state(self, listed: Listed, words: str) -> dict[str, Any]:
        return {"history": self._ids(listed.history), "candidates": self._ids(listed.candidates), "words": bool(words)}

    def _ids(self, rows: np.ndarray) -> list[str]:
        return [self.catalogue.data.items[row].id for row in rows]
