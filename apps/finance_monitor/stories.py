"""Folds near-duplicate headlines into stories, so that one report copied by twenty outlets counts once.

A headline is a copy if a like one about the same company was published in the 72 hours before it. That is a statement
about times of publication: it does not matter which of the two arrives first.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

SAME_STORY = 0.8
WINDOW = timedelta(hours=72)

Embed = Callable[[Sequence[str]], Sequence[np.ndarray]]


@dataclass(order=True, slots=True)
class _Headline:
    time: datetime
    key: str
    number: int = field(compare=False)
    text: str = field(compare=False)
    vector: np.ndarray | None = field(compare=False, default=None)


class StoryFolder:
    """Knows the headlines of each company in the order of their publication.

    Args:
        embed: Function that returns a unit-length vector for each headline.
        threshold: Cosine from which two headlines are one story.
        present: Clock; None where no headline is of the future.
    """

    def __init__(
        self, embed: Embed, threshold: float = SAME_STORY, present: Callable[[], datetime] | None = None
    ) -> None:
        self.embed, self.threshold, self._present = embed, threshold, present
        self._companies: dict[str, list[_Headline]] = {}

    def add(self, number: int, company: str, time: datetime, key: str, text: str) -> None:
        """Take in a headline of which is known what it repeats."""
        insort(self._companies.setdefault(company, []), _Headline(time, key, number, text))

    def fold(self, number: int, company: str, time: datetime, key: str, text: str) -> tuple[list[int], list[int]]:
        """Take in a headline.

        Args:
            number: Number of the headline.
            company: Company whose news it is.
            time: Moment of publication.
            key: Key that puts headlines of one moment in order.
            text: Headline.

        Returns:
            Numbers of the headlines that it is a copy of, and of those that are copies of it.
        """
        new = _Headline(time, key, number, text)
        known = self._companies.setdefault(company, [])
        at = bisect_left(known, new)
        first = bisect_left(known, time - WINDOW, key=lambda headline: headline.time)
        end = bisect_right(known, time + WINDOW, key=lambda headline: headline.time)
        earlier, later = self._like(new, known[first:at]), self._like(new, known[at:end])
        known.insert(at, new)
        self._let_go(known, first)
        return earlier, later

    def forget(self, company: str, before: datetime) -> None:
        """Know a company's headlines of before a moment no longer."""
        known = self._companies.get(company, [])
        del known[: bisect_left(known, before, key=lambda headline: headline.time)]

    def _let_go(self, known: list[_Headline], first: int) -> None:
        """Keep the vectors of a company's last 72 hours alone; a late headline has others made again for itself.

        Args:
            known: Its headlines.
            first: Number of the first of them that was looked at just now.
        """
        newest = known[-1].time
        if self._present is not None:  # one of the future would have those of today made again and again
            newest = min(newest, self._present())
        recent = bisect_left(known, newest - WINDOW, key=lambda headline: headline.time)
        for at in reversed(range(recent)):
            if at < first and known[at].vector is None:
                break
            known[at].vector = None

    def _like(self, new: _Headline, others: Sequence[_Headline]) -> list[int]:
        if not others:
            return []
        missing = [headline for headline in (new, *others) if headline.vector is None]
        for headline, vector in zip(missing, self.embed([headline.text for headline in missing]), strict=True):
            headline.vector = vector
        cosines = np.stack([headline.vector for headline in others if headline.vector is not None]) @ new.vector
        return [other.number for other, cosine in zip(others, cosines, strict=True) if cosine >= self.threshold]
