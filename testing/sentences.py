"""Sentences that ask for more than a subject, and whether a list obeys each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from apps.recommender.data import Item


@dataclass(frozen=True)
class Sentence:
    """What a visitor types.

    Attributes:
        words: The words.
        asks: What every film must be, as `sentences.yaml` says it.
    """

    words: str
    asks: dict[str, Any]

    @property
    def is_nonsense(self) -> bool:
        """Whether nothing is meant."""
        return bool(self.asks.get("popular"))

    def is_obeyed(self, shown: Sequence[Item], items: Sequence[Item]) -> bool:
        """Whether a list is what it asks for: every film of it, and ten of them or as many as there are.

        Args:
            shown: Films of the list.
            items: All films.
        """
        like = next((item for item in items if item.title == self.asks.get("like")), None)
        fitting = sum(self._fits(item, like) for item in items)
        return len(shown) == min(10, fitting) and all(self._fits(item, like) for item in shown)

    def _fits(self, item: Item, like: Item | None) -> bool:
        first, last = self.asks.get("from", 0), self.asks.get("until", 9999)
        not_first, not_last = self.asks.get("without_years", (1, 0))
        has_tags = {*self.asks.get("tags", ())} <= {*item.tags} and not {*self.asks.get("without", ())} & {*item.tags}
        is_like = like is None or (item != like and bool({*like.tags} & {*item.tags}))
        year = item.year or 0
        return has_tags and is_like and first <= year <= last and not not_first <= year <= not_last


def read_sentences() -> tuple[list[Sentence], list[Sentence]]:
    """Those on which reading was built, and those that were held out."""
    said = yaml.safe_load((Path(__file__).parent / "sentences.yaml").read_text(encoding="utf-8"))
    chosen_on, held_out = (
        [Sentence(str(each.pop("words")), each) for each in said[half]] for half in ("chosen_on", "held_out")
    )
    return chosen_on, held_out
