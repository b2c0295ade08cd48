"""Hears wishes: what each asks for, which items meet it, and how near all items are to what else it says."""

import random
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from apps.recommender.candidates import CandidateBuilder
from apps.recommender.config import ShopConfig
from apps.recommender.data import ShopData
from apps.recommender.wishes.reader import WishReader
from apps.recommender.wishes.spelling import WORD, folded
from apps.recommender.wishes.tag_names import MULTILINGUAL_ENCODER, TagNames
from apps.recommender.wishes.titles import Titles
from apps.recommender.wishes.wish import NO_WISH, Condition, Shelf, Wish
from core.models.encoder import TextEncoder
from core.util.opening import Opening

# Of what nobody wants, so large a share of the catalogue is left out beside the items whose texts say it.
_NEAR_UNWANTED = 0.05
_NONSENSE = 100


@dataclass(frozen=True)
class Heard:
    """A wish over the items of a catalogue.

    Attributes:
        wish: Wish that was heard; an empty one where the words mean nothing here.
        unmet: Conditions that were given up, as nothing would be left.
        closed: Rows of items that must not be shown, int64.
        similarity: Nearness of every item to what is asked for beside the conditions, float32 of shape (items,); None
            where that is nothing.
    """

    wish: Wish
    unmet: tuple[Condition, ...]
    closed: np.ndarray
    similarity: np.ndarray | None

    @property
    def outcome(self) -> tuple[Wish, tuple[Condition, ...]]:
        """What was asked for, and what was given up of it."""
        return self.wish, self.unmet


class Listener:
    """Hears the wishes of many visitors at once; keeps nothing of them.

    Who writes in another language than the catalogue's is read by a model of a hundred languages. That takes most of
    a gigabyte, and time to open, so it is opened when the first of them comes.

    Args:
        data: Items.
        builder: Builder that knows the items' text vectors and who liked them.
        config: Names that the shop has for its items, and its language.
        encoder: Frozen encoder that made the text vectors.
        patience: Seconds that the first such visitor waits for that model; None for as long as it takes.
    """

    def __init__(
        self,
        data: ShopData,
        builder: CandidateBuilder,
        config: ShopConfig,
        encoder: TextEncoder,
        patience: float | None,
    ) -> None:
        self._builder, self._encoder, self._patience = builder, encoder, patience
        self._shelf = Shelf(data.items, self._nearest)
        self._nouns = (config.words.item, config.words.items)
        titles, own = Titles(data.items, builder.popularity), TagNames(encoder, self._shelf.tags, self._nouns)
        self._reader = WishReader(
            self._shelf, titles, config.words, config.language, own, lambda: self._multilingual.get()
        )

    def hear(self, said: Sequence[tuple[str, np.ndarray]]) -> list[Heard]:
        """Each of some wishes, which may be empty, with the rows of items that are shown to nobody there, int64."""
        wishes = [self._reader.read(words) if words else NO_WISH for words, _ in said]
        rests = [wish.rest for wish in wishes if wish.rest]
        vectors = iter(self._encoder.embed(rests) if rests else ())
        nearness = [self._builder.retriever.texts @ next(vectors) if wish.rest else None for wish in wishes]
        return [self._heard(*each) for each in zip(wishes, nearness, (seen for _, seen in said), strict=True)]

    def _heard(self, wish: Wish, near: np.ndarray | None, seen: np.ndarray) -> Heard:
        if near is not None and self._is_nonsense(wish, near):
            wish, near = Wish(is_partly_read=wish.is_partly_read), None
        fitting = self._shelf.fitting(wish, seen)
        if wish.like:
            alike = self._alike(np.array(wish.like))
            near = alike if near is None else alike + _standard(near)
        return Heard(wish, fitting.unmet, np.union1d(seen, fitting.closed).astype(np.int64), near)

    def _alike(self, items: np.ndarray) -> np.ndarray:
        """How near every item is to some, by what it says as by who likes it, float32 of shape (items,)."""
        texts, everything = self._builder.retriever.texts, np.arange(len(self._shelf.items))
        return _standard((texts @ texts[items].T).mean(axis=1)) + _standard(
            self._builder.closeness(everything, items).mean(axis=1)
        )

    def _is_nonsense(self, wish: Wish, near: np.ndarray) -> bool:
        """Whether a wish asks for nothing else, no text of the catalogue has a word of it, and none is near to it."""
        if wish.conditions or wish.like or near.max() > self._nonsense:
            return False
        return not any(len(self._shelf.rows_saying(word)) for word in WORD.findall(folded(wish.rest)) if len(word) > 2)

    @cached_property
    def _nonsense(self) -> float:
        """How near the nearest item is to nearly all made-up words: what is not nearer means nothing here."""
        draw = random.Random(0)
        made = [" ".join(_made_word(draw) for _ in range(draw.randint(1, 4))) for _ in range(_NONSENSE)]
        nearest = (self._encoder.embed(made) @ self._builder.retriever.texts.T).max(axis=1)
        return float(np.quantile(nearest, 0.95))

    def _nearest(self, words: str) -> np.ndarray:
        near = self._builder.retriever.texts @ self._encoder.embed([words])[0]
        return np.argsort(-near, kind="stable")[: int(_NEAR_UNWANTED * len(near))]

    @cached_property
    def _multilingual(self) -> Opening[TagNames]:
        return Opening(self._open_multilingual, self._patience)

    def _open_multilingual(self) -> TagNames:
        encoder = TextEncoder(MULTILINGUAL_ENCODER, max_length=self._encoder.max_length)
        names = TagNames(encoder, self._shelf.tags, self._nouns)
        encoder.for_serving()
        return names


def _made_word(draw: random.Random) -> str:
    return "".join(draw.choice(string.ascii_lowercase) for _ in range(draw.randint(3, 8)))


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / max(float(values.std()), 1e-6)
