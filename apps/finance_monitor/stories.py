"""Folds near-duplicate headlines into stories, so that one report copied by twenty outlets counts once."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from core.retrieval.index import DenseIndex

SAME_STORY = 0.8
WINDOW = timedelta(hours=72)


@dataclass
class _CompanyStories:
    index: DenseIndex
    times: list[datetime] = field(default_factory=list)
    stories: list[int] = field(default_factory=list)


class StoryFolder:
    """Assigns each headline to a story of its company.

    Args:
        threshold: Cosine from which two headlines are one story.
    """

    def __init__(self, threshold: float = SAME_STORY) -> None:
        self.threshold = threshold
        self._companies: dict[str, _CompanyStories] = {}
        self._stories = 0

    def fold(self, company: str, time: datetime, vector: np.ndarray) -> tuple[int, bool]:
        """Story number of a headline, and whether it begins that story.

        Args:
            company: Company whose news it is.
            time: Moment of publication; only headlines of the last `WINDOW` are compared.
            vector: Unit-length embedding, float32 of shape (width,).
        """
        known = self._companies.setdefault(company, _CompanyStories(DenseIndex(np.zeros((0, len(vector)), np.float32))))
        story = self._same(known, time, vector)
        is_new = story is None
        if story is None:
            story, self._stories = self._stories, self._stories + 1
        known.index.add(vector[None])
        known.times.append(time)
        known.stories.append(story)
        return story, is_new

    def _same(self, known: _CompanyStories, time: datetime, vector: np.ndarray) -> int | None:
        if not known.times:
            return None
        scores, rows = known.index.search(vector[None], 20)
        for score, row in zip(scores[0], rows[0], strict=True):
            if score < self.threshold:
                return None
            if abs(time - known.times[row]) <= WINDOW:
                return known.stories[row]
        return None
