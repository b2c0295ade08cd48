"""EASE: which item goes with which, in closed form.

Steck (2019), "Embarrassingly Shallow Autoencoders for Sparse Data": items are weighted by the inverse of their
regularised Gram matrix, and no item speaks for itself. With fewer users than items the inverse is that of the users'
Gram matrix (Woodbury), so that only the smaller of the two is ever dense.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array

# A dense matrix of so many rows takes 200 MB and some seconds. With more users and more items than that, only the items
# that are liked most have a score; the others are found by the retriever alone.
LARGEST = 5000

_COLUMNS = 2048


class Ease:
    """Scores of all items by what other users liked together.

    Args:
        histories: Items that each user likes.
        items: Number of items.
        regularisation: Weight of the squared norm in the regression of likes on likes.
    """

    def __init__(self, histories: Sequence[np.ndarray], items: int, regularisation: float) -> None:
        self._items, self._regularisation = items, regularisation
        likes = likes_table(histories, [np.ones(len(history)) for history in histories], items)
        popularity = np.asarray(likes.sum(axis=0))
        self._kept = np.arange(items)
        if min(likes.shape) > LARGEST:
            self._kept = np.sort(np.argsort(-popularity, kind="stable")[:LARGEST])
        self._likes = likes[:, self._kept]
        users, kept = self._likes.shape
        self._by_user = users < kept
        gram = (self._likes @ self._likes.T if self._by_user else self._likes.T @ self._likes).toarray()
        gram[np.diag_indices_from(gram)] += regularisation
        inverse = cho_solve(cho_factor(gram, overwrite_a=True), np.eye(len(gram)))
        self._inverse = inverse.astype(np.float32)
        self._diagonal = self._precision_diagonal() if self._by_user else np.diagonal(self._inverse)

    def scores(self, histories: Sequence[np.ndarray], half_life: float) -> np.ndarray:
        """How much each item goes with the likes of each history, float32 of shape (histories, items).

        Args:
            histories: Items that each user likes, oldest first.
            half_life: Number of likes after which an older one of the same history counts half.
        """
        weights = [0.5 ** (np.arange(len(history))[::-1] / half_life) for history in histories]
        liked = likes_table(histories, weights, self._items)[:, self._kept]
        scores = np.zeros((len(histories), self._items), dtype=np.float32)
        scores[:, self._kept] = liked.toarray() - self._times_precision(liked) / self._diagonal
        return scores

    def _times_precision(self, liked: csr_array) -> np.ndarray:
        """`liked` times the inverse of the items' regularised Gram matrix."""
        if not self._by_user:
            return liked @ self._inverse
        by_user = (liked @ self._likes.T).toarray() @ self._inverse
        return (liked.toarray() - by_user @ self._likes) / self._regularisation

    def _precision_diagonal(self) -> np.ndarray:
        diagonal = np.zeros(self._likes.shape[1], dtype=np.float32)
        for start in range(0, len(diagonal), _COLUMNS):  # or a dense table of users by items would be made
            part = self._likes[:, start : start + _COLUMNS]
            said = part.multiply(self._inverse @ part).sum(axis=0)
            diagonal[start : start + _COLUMNS] = (1.0 - np.asarray(said).ravel()) / self._regularisation
        return diagonal


def likes_table(histories: Sequence[np.ndarray], values: Sequence[np.ndarray], items: int) -> csr_array:
    """A row for each history, float32 of shape (histories, items)."""
    ends = np.cumsum([0, *(len(history) for history in histories)])
    columns = np.concatenate([np.zeros(0, dtype=np.int64), *histories])
    return csr_array((np.concatenate([[], *values]).astype(np.float32), columns, ends), shape=(len(histories), items))
