"""Forty wishes as visitors type them, and which films of MovieLens fit each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from apps.recommender.data import Item


@dataclass(frozen=True)
class Wish:
    """What a visitor types.

    Attributes:
        words: The words.
        kinds: Kinds of films that fit, each as `wishes.yaml` says it.
    """

    words: str
    kinds: tuple[Mapping[str, Any], ...]

    def fits(self, item: Item) -> bool:
        """Whether a film is what they ask for: of one of the kinds."""
        return any(_is_of(kind, item) for kind in self.kinds)


def read_wishes() -> tuple[list[Wish], list[Wish]]:
    """The half by which it was chosen how words are weighed, and the half that was held out."""
    text = (Path(__file__).parent / "wishes.yaml").read_text(encoding="utf-8")
    wishes = [Wish(each["words"], tuple(each["fits"])) for each in yaml.safe_load(text)]
    return wishes[::2], wishes[1::2]


def _is_of(kind: Mapping[str, Any], item: Item) -> bool:
    if "titled" in kind:
        return _says(item.title, kind["titled"]) and not _says(item.title, kind.get("but", ()))
    is_excluded = bool({*kind.get("without", ())} & {*item.tags}) or (item.year or 0) >= kind.get("before", 9999)
    return {*kind["genres"]} <= {*item.tags} and not is_excluded


def _says(title: str, words: Sequence[str]) -> bool:
    """Whether one of the words, or its plural, stands in the title."""
    return bool(words) and re.search(rf"(?<!\w)(?:{'|'.join(words)})s?(?!\w)", title, re.IGNORECASE) is not None
