"""Exact nearest neighbours by inner product."""

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
            k: Number of rows for each query; fewer come back from a smaller index.

        Returns:
            Scores, float32, and row numbers, int64, both of shape (queries, min(k, rows)).
        """
        return self.index.search(np.ascontiguousarray(queries, dtype=np.float32), min(k, len(self)))
