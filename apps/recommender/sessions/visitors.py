"""A model of visitors: what they look at, like, hide and tire of, and when they leave.

Tastes are a factorisation of likes that the policy's data do not hold (`people.py`). Of what visitors do with lists,
MovieLens tells one thing: the more of a kind somebody has just met, the less they like the next of it. The rest is
assumed, and differs from visitor to visitor (`docs/sessions.md`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from apps.recommender.data import ShopData
from apps.recommender.sessions.people import Group, likes_of, tastes
from apps.recommender.sessions.rewards import HIDE, LIKE, SKIP
from apps.recommender.sessions.shop import SessionShop, unit
from apps.recommender.splits import PICKS

# An item that was looked at and passed over is liked less the next time, by so many nats for each time.
_PASSED_OVER = 1.5
# A hide bores as much as so many likes please, and a like keeps by so many nats.
_HIDE_BORES, _LIKE_KEEPS = 2.0, 0.5


@dataclass(frozen=True)
class Manners:
    """How visitors are: ranges that each one's numbers are drawn from, evenly.

    Attributes:
        likes: Log-odds to like what fits like the middle of the catalogue.
        taste: Nats by which a deviation more of taste makes a like likelier.
        tires: Logarithm of the nats that ten items of one kind cost the next of it; MovieLens says log(.38).
        keeps: Share of tiredness that is left a list later.
        patience: Log-odds to leave after a list without answers.
        hides: Log-odds to hide what is looked at, not liked, and fits like the middle of the catalogue.
        looks: Exponent by which position k is looked at, k to the power of minus it.
        kinds: Kinds of items: their tags, or the factors of another taste.
        rank: Rank of the factorisation of likes.
    """

    likes: tuple[float, float] = (-2.6, -1.8)
    taste: tuple[float, float] = (0.8, 1.2)
    tires: tuple[float, float] = (-1.0, 1.5)
    keeps: tuple[float, float] = (0.3, 0.9)
    patience: tuple[float, float] = (-1.2, 0.2)
    hides: tuple[float, float] = (-4.5, -3.0)
    looks: tuple[float, float] = (0.1, 0.6)
    kinds: str = "tags"
    rank: int = 8


@dataclass(frozen=True)
class Visitors:
    """Some visits, each by somebody of whom a part of their likes is known.

    Attributes:
        histories: Items that are known to be liked before each visit, oldest first.
        person: Row of `tastes` of each visit, int64 of shape (visits,).
        tastes: Fit of items to people, float32 of shape (people, items).
        kinds: Unit-length vector of each item's kinds, float32 of shape (items, kinds).
        likes, taste, tires, keeps, patience, hides, looks: See `Manners`; float32 of shape (visits,).
    """

    histories: Sequence[np.ndarray]
    person: np.ndarray
    tastes: np.ndarray
    kinds: np.ndarray
    likes: np.ndarray
    taste: np.ndarray
    tires: np.ndarray
    keeps: np.ndarray
    patience: np.ndarray
    hides: np.ndarray
    looks: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


DRAWN = [field.name for field in fields(Visitors)[4:]]


def visitors_of(
    data: ShopData, shop: SessionShop, group: Group, count: int, manners: Manners, *, seed: int
) -> Visitors:
    """Visits by the people of a group, whom neither the shop nor another group knows.

    A person comes several times, with other manners, when another part of their likes is known.

    Args:
        data: Items and events.
        shop: The shop that they visit.
        group: Group whose people visit.
        count: Number of visits.
        manners: Manners of the visitors.
        seed: Seed of all chance.
    """
    chance = np.random.default_rng(seed)
    histories = shop.numbered(likes_of(data, group))
    fit, vectors = tastes(histories, len(shop.items), rank=manners.rank, seed=seed)
    kinds = shop.tags if manners.kinds == "tags" else _signed(vectors)
    person = chance.permutation(np.arange(count) % len(histories))
    known = chance.uniform(0.1, 0.7, count)
    begun = [histories[who] for who in person]
    begun = [likes[: max(int(share * len(likes)), 2)] for likes, share in zip(begun, known, strict=True)]
    ranges = [getattr(manners, name) for name in DRAWN]
    drawn = [chance.uniform(low, high, count).astype(np.float32) for low, high in ranges]
    return Visitors(begun, person, fit, kinds, *drawn)


# People unlike those that anything is tuned or learnt on: they tire of other things, longer, and look less far.
OTHER_MANNERS = Manners(
    likes=(-2.9, -2.1),
    tires=(-0.5, 2.0),
    keeps=(0.5, 0.95),
    patience=(-1.6, -0.2),
    hides=(-4.0, -2.5),
    looks=(0.3, 1.0),
    kinds="factors",
    rank=12,
)
# As little as MovieLens says that people tire.
MILD_MANNERS = Manners(tires=(float(np.log(0.38)), float(np.log(0.38))))


class Moods:
    """What some visitors, one in each of several slots, are tired of.

    Args:
        visitors: All visits.
        slots: Number of slots.
    """

    def __init__(self, visitors: Visitors, slots: int) -> None:
        self.visitors = visitors
        self.rows = np.zeros(slots, dtype=np.int64)
        self.tired = np.zeros((slots, visitors.kinds.shape[1]), dtype=np.float32)
        self.passed = np.zeros((slots, visitors.tastes.shape[1]), dtype=np.float32)

    def begin(self, slots: np.ndarray, rows: np.ndarray) -> None:
        """Visit `rows` begins in `slots`."""
        self.rows[slots] = rows
        self.tired[slots], self.passed[slots] = 0.0, 0.0

    def answer(self, lists: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What each visitor does with each item of their list.

        Args:
            lists: Items, int64 of shape (slots, picks).
            chance: Even numbers between 0 and 1, of shape (slots, picks, 2).

        Returns:
            `SKIP`, `LIKE` or `HIDE`, int64 of shape (slots, picks); and how likely a like and a hide were, float32 of
            shape (slots, picks, 2).
        """
        all_, who, slots = self.visitors, self.rows, np.arange(len(self.rows))
        answers, likely = np.full(lists.shape, SKIP), np.zeros((*lists.shape, 2), dtype=np.float32)
        self.tired *= all_.keeps[who, None]
        for place, items in enumerate(lists.T):
            like, hide = (chances[:, 0] for chances in self.chances(items[:, None]))
            look = (place + 1.0) ** -all_.looks[who]
            likely[:, place] = np.stack([look * like, look * hide], axis=1)
            looks = chance[:, place, 0] < look
            drawn = chance[:, place, 1]
            answers[looks & (drawn < like), place] = LIKE
            answers[looks & (drawn > 1 - hide), place] = HIDE
            self.tired += looks[:, None] * all_.kinds[items]
            self.passed[slots, items] += looks
        return answers, likely

    def chances(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Chances that each visitor, looking at each of their items now, likes it or hides it.

        Args:
            items: Items, int64 of shape (slots, items).

        Returns:
            Two arrays, float32 of that shape.
        """
        all_, who = self.visitors, self.rows[:, None]
        fit = all_.tastes[all_.person[who], items]
        tired = np.exp(all_.tires[who]) * (all_.kinds[items] @ self.tired[:, :, None])[:, :, 0] / PICKS
        passed = _PASSED_OVER * np.take_along_axis(self.passed, items, axis=1)
        like = _chance(all_.likes[who] + all_.taste[who] * fit - tired - passed)
        return like, (1 - like) * _chance(all_.hides[who] - 0.5 * fit + tired)

    def leaves(self, answers: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """Which visitors leave after these answers, bool of shape (slots,); `chance` is even, between 0 and 1."""
        pleased = (answers == LIKE).sum(axis=1) - _HIDE_BORES * (answers == HIDE).sum(axis=1)
        return chance < _chance(self.visitors.patience[self.rows] - _LIKE_KEEPS * pleased)


def _chance(log_odds: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-log_odds))


def _signed(vectors: np.ndarray) -> np.ndarray:
    """Kinds out of factors: how far each points up, and how far down."""
    return unit(np.concatenate([vectors.clip(0), (-vectors).clip(0)], axis=1))
