"""What the page and the API ask of the recommender: a list with reasons for a visitor."""

import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from apps.recommender.data import SOURCE, Item
from apps.recommender.engine import RecommenderEngine, Wanted
from apps.recommender.environment import PICKS
from apps.recommender.explanations import Reason, Reasons
from apps.recommender.task import Recommender
from core.platform.inference.engine import Engine
from core.rl.explore import Explorer
from core.training.loader import open_task
from core.training.run import Run
from core.training.task import Task
from core.util.errors import SteerError
from core.util.text_input import check_text

Kind = Literal["like", "hide"]

LIST_LENGTH = PICKS
MAX_WORDS = 500
SHOWN_USERS = 24


@dataclass(frozen=True)
class Film:
    """A film as it is shown; `row` stands for it in a visitor's events."""

    row: int
    title: str
    year: int
    genres: tuple[str, ...]


@dataclass(frozen=True)
class Recommended:
    """A film of the list.

    Attributes:
        film: what is recommended.
        score: how strongly, relative to the first of the list, between 0 and 1.
        reason: why.
    """

    film: Film
    score: float
    reason: Reason


@dataclass(frozen=True)
class Ranked:
    """A list, and what was decided, for learning.

    Attributes:
        films: best first.
        state: history and candidates, from which the observation can be made again, and whether words had a say.
        action: numbers of the candidates on the list, in its order.
        propensity: probability with which this visitor is shown that very list.
    """

    films: list[Recommended]
    state: dict[str, Any]
    action: list[int]
    propensity: float


@dataclass(frozen=True)
class Event:
    """What a visitor did with a film."""

    kind: Kind
    film: int


@dataclass(frozen=True)
class Visitor:
    """All that is known of a visitor; the page keeps it, the service never does.

    Attributes:
        user: number of a known user, whose history counts; None for somebody new.
        words: what the visitor wrote about their taste.
        events: likes and hides of this visit, oldest first.
    """

    user: int | None = None
    words: str = ""
    events: tuple[Event, ...] = ()

    def with_event(self, kind: Kind, film: int) -> "Visitor":
        """The visitor after one more like or hide."""
        return replace(self, events=(*self.events, Event(kind, film)))

    def undone(self) -> "Visitor":
        """The visitor before their last like or hide."""
        return replace(self, events=self.events[:-1])


@dataclass(frozen=True)
class UserSummary:
    """A known user: how many films they like, and of which genres most of all."""

    user: int
    likes: int
    genres: tuple[str, ...]


class RecommenderService:
    """Lists for many visitors at once; keeps nothing of them.

    Args:
        task: with the settings that the policy was trained with.
        engine: that computes, see `apps.recommender.engine`.
    """

    def __init__(self, task: Task, engine: Engine[RecommenderEngine]) -> None:
        assert isinstance(task, Recommender)
        self.data, self.maker, self.engine = task.data, task.maker, engine
        self.reasons = Reasons(self.maker)
        self.terms = SOURCE.licence
        self._titles = [_plain(item.title) for item in self.data.items]

    def users(self, count: int = SHOWN_USERS) -> list[UserSummary]:
        """Some users, from those with few likes to those with many."""
        known = sorted(self.data.users, key=lambda user: (len(self.data.users[user].likes), user))
        picked = {known[at] for at in np.linspace(0, len(known) - 1, count).astype(int)}
        return [self.summary(user) for user in sorted(picked)]

    def summary(self, user: int) -> UserSummary:
        """What a known user likes.

        Raises:
            SteerError: nobody has that number.
        """
        liked = self._likes_of(user)
        genres = Counter(genre for film in liked for genre in self.data.items[film].genres)
        return UserSummary(user, len(liked), tuple(genre for genre, _ in genres.most_common(3)))

    async def recommend(self, visitor: Visitor) -> list[Recommended]:
        """Ten films with reasons; none for a visitor of whom nothing is known yet.

        Raises:
            SteerError: unknown user or film, words that are too long or no text, or too many requests wait.
        """
        ranked = await self.rank(visitor)
        return ranked.films if ranked else []

    async def rank(self, visitor: Visitor, explorer: Explorer | None = None) -> Ranked | None:
        """Ten films with reasons and their propensity; None for a visitor of whom nothing is known yet.

        Args:
            visitor: whom the list is for.
            explorer: picks the list by its probability; without one, the best is taken.

        Raises:
            SteerError: see `recommend`.
        """
        words = checked(visitor.words) if visitor.words else ""
        liked, seen = self._liked(visitor), self._seen(visitor)
        if not words and not len(liked):
            return None
        found = await self.engine.answer(RecommenderEngine.lists, Wanted(liked, seen, words))
        order, propensity = (explorer or Explorer()).rank(found.scores.astype(np.float64), PICKS)
        films = found.candidates[order]
        reasons = self.reasons.explain(films, liked, words, None if found.said is None else found.said[films])
        scores = np.exp(found.scores[order] - found.scores.max())
        listed = [
            Recommended(self.film(int(row)), float(score), reason)
            for row, score, reason in zip(films, scores, reasons, strict=True)
        ]
        state = {"history": found.history.tolist(), "candidates": found.candidates.tolist(), "words": bool(words)}
        return Ranked(listed, state, order.tolist(), propensity)

    def history(self, visitor: Visitor, count: int = 12) -> tuple[list[Film], int]:
        """The visitor's most recent likes, newest first, and the number of all."""
        liked = self._liked(visitor)
        return [self.film(int(row)) for row in liked[::-1][:count]], len(liked)

    def search(self, title: str, count: int = 6) -> list[Film]:
        """Films whose title holds every word of `title`, the best known first.

        Raises:
            SteerError: `title` is empty, too long or no text.
        """
        wanted = _plain(checked(title)).split()
        found = [row for row, plain in enumerate(self._titles) if all(word in plain for word in wanted)]
        begins = " ".join(wanted)
        found.sort(key=lambda row: (not self._titles[row].startswith(begins), -self.maker.popularity[row], row))
        return [self.film(row) for row in found[:count]]

    def film(self, row: int) -> Film:
        """The film of a row.

        Raises:
            SteerError: there is no such row.
        """
        if not 0 <= row < len(self.data.items):
            raise SteerError(f"There is no film number {row}; there are films 0 to {len(self.data.items) - 1}.")
        item: Item = self.data.items[row]
        return Film(row, item.title, item.year, item.genres)

    def _likes_of(self, user: int) -> np.ndarray:
        events = self.data.users.get(user)
        if events is None:
            raise SteerError(
                f"There is no user {user}; known users are {min(self.data.users)} to {max(self.data.users)}."
            )
        return events.items[events.likes]

    def _liked(self, visitor: Visitor) -> np.ndarray:
        """Likes of the user's past, then those of this visit, oldest first; a film hidden since no longer counts."""
        past = self._likes_of(visitor.user).tolist() if visitor.user is not None else []
        hidden = {event.film for event in visitor.events if event.kind == "hide"}
        now = dict.fromkeys(self.film(event.film).row for event in visitor.events if event.kind == "like")
        liked = [*(film for film in past if film not in now), *now]
        return np.array([film for film in liked if film not in hidden], dtype=np.int64)

    def _seen(self, visitor: Visitor) -> np.ndarray:
        past = self.data.users[visitor.user].items.tolist() if visitor.user is not None else []
        return np.array(past + [self.film(event.film).row for event in visitor.events], dtype=np.int64)


def open_service(run: Run, engine: Engine[RecommenderEngine]) -> RecommenderService:
    """The service of the recommender that `run` holds.

    Raises:
        SteerError: it holds none.
    """
    return RecommenderService(open_task(Recommender, run), engine)


def checked(words: str) -> str:
    """What a visitor typed, on one line and without invisible characters.

    Raises:
        SteerError: it is empty, too long, or mostly not text.
    """
    return " ".join(check_text(words, max_length=MAX_WORDS, what="a few words").split())


def _plain(text: str) -> str:
    """Lower case, without accents and punctuation, so that `amelie` finds Amélie."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c if c.isalnum() else " " for c in letters if not unicodedata.combining(c)).split())
