"""One version of the monitor's policy, as the service asks it."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

import numpy as np

from apps.finance_monitor.data import NewsData
from apps.finance_monitor.engine import Label, NewsEngine
from apps.finance_monitor.feed import MAX_HEADLINE
from apps.finance_monitor.markup import without_markup
from apps.finance_monitor.task import FinanceMonitor
from core.platform.inference.engine import Engine
from core.util.lru_cache import LRUCache
from core.util.text_input import check_text

_REMEMBERED = 5_000
# A user with a thousand headlines lets others in after so many.
_TEXTS_PER_REQUEST = 32

Result = TypeVar("Result")
# A company, by its id or any name, and a headline about it.
Read = tuple[str, str]


class NewsModel:
    """Reads headlines, and remembers what it made of them, which depends on nothing but their text.

    Args:
        task: Task as its run was trained.
        engine: Engine that computes.
    """

    def __init__(self, task: FinanceMonitor, engine: Engine[NewsEngine]) -> None:
        self.task, self.engine = task, engine
        self.news: NewsData = task.news
        self._labels: LRUCache[str, Label] = LRUCache(_REMEMBERED)
        self._vectors: LRUCache[str, np.ndarray] = LRUCache(_REMEMBERED)

    def read(self, typed: Sequence[Read]) -> list[Label]:
        """Label typed headlines, each with the company that it is about (or an empty text).

        Raises:
            SteerError: One is empty, too long, or not text.
        """
        checked = [(company, check_text(text, max_length=MAX_HEADLINE, what="a headline")) for company, text in typed]
        return self.labels(checked)

    def labels(self, news: Sequence[Read]) -> list[Label]:
        """Topic and sentiment of each headline."""
        texts = [self.news.text(company, headline) for company, headline in news]
        return self._labels.get(texts, lambda new: chain.from_iterable(self._asked(NewsEngine.labels, new)))

    def vectors(self, headlines: Sequence[str]) -> list[np.ndarray]:
        """Unit-length embedding of each headline, float32 of shape (width,)."""
        texts = [without_markup(headline) for headline in headlines]
        return self._vectors.get(texts, lambda new: chain.from_iterable(self._asked(NewsEngine.vectors, new)))

    def _asked(
        self, method: Callable[[NewsEngine, list[list[str]]], Sequence[Result]], texts: list[str]
    ) -> Iterator[Result]:
        for start in range(0, len(texts), _TEXTS_PER_REQUEST):
            yield self.engine.ask(method, texts[start : start + _TEXTS_PER_REQUEST])
