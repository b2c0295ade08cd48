"""Indexes over texts and items: dense vectors (FAISS), words (BM25), and the fusion of their rankings."""

from collections.abc import Sequence

import bm25s
import faiss
import numpy as np


class DenseIndex:
    """FAISS index over unit-length vectors, so that inner products are cosines.

    Args:
        vectors: Vectors of the rows, float32 of shape (rows, width).
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self.index = faiss.IndexFlatIP(vectors.shape[1])
        self.index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def add(self, vectors: np.ndarray) -> None:
        """Append rows."""
        self.index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The `k` nearest rows of each query, best first.

        Args:
            queries: Unit-length vectors, float32 of shape (queries, width).
            k: Number of rows for each query; fewer come back from a smaller index, none from an empty one.

        Returns:
            Scores, float32, and row numbers, int64, both of shape (queries, min(k, rows)).
        """
        if not len(self):
            return np.empty((len(queries), 0), dtype=np.float32), np.empty((len(queries), 0), dtype=np.int64)
        return self.index.search(np.ascontiguousarray(queries, dtype=np.float32), min(k, len(self)))


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


def reciprocal_rank_fusion(scores: Sequence[np.ndarray], k: int = 60) -> np.ndarray:
    """Fused scores: the sum over rankings of 1 / (k + rank) (Cormack, Clarke & Buettcher 2009).

    Args:
        scores: Scores of each method for every row, each of shape (queries, rows); the higher the better.
        k: Constant of the formula; the larger it is, the slower lower ranks lose weight.

    Returns:
        float32 of shape (queries, rows).
    """
    ranks = [(-s).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable") + 1 for s in scores]
    return np.sum([1.0 / (k + rank) for rank in ranks], axis=0).astype(np.float32)
