"""BM25 (Robertson & Zaragoza 2009) through bm25s."""

from collections.abc import Sequence

import bm25s
import numpy as np


class WordIndex:
    """BM25 index over texts, English stop words left out.

    Args:
        texts: Text of each row.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.rows = len(texts)
        self._index = bm25s.BM25()
        self._index.index(bm25s.tokenize(list(texts), stopwords="en", show_progress=False), show_progress=False)

    def scores(self, queries: Sequence[str]) -> np.ndarray:
        """BM25 score of every row for each query, float32 of shape (queries, rows)."""
        tokens = bm25s.tokenize(list(queries), stopwords="en", show_progress=False, return_ids=False)
        return np.stack([self._score(words) for words in tokens])

    def _score(self, words: list[str]) -> np.ndarray:
        if not words:  # nothing but stop words
            return np.zeros(self.rows, dtype=np.float32)
        return self._index.get_scores(words).astype(np.float32)
