"""An outsider for lists: implicit alternating least squares (Hu, Koren & Volinsky 2008), by the library `implicit`."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_array, csr_matrix

from apps.recommender.data import ShopData
from apps.recommender.rewards import ndcg_gains
from apps.recommender.splits import PICKS, history_cuts, known_histories
from core.data.splits import Split

_FACTORS, _REGULARISATIONS, _ALPHAS = (32, 64, 128), (1.0, 10.0), (1.0, 5.0)


def best_als(data: ShopData) -> np.ndarray:
    """The test users' lists over the whole catalogue, int64 of shape (users, picks).

    Factors, regularisation and confidence are those of the highest NDCG@10 on the validation split.
    """
    relevant = [cut.relevant for cut in history_cuts(data, "validation")]

    def gain(settings: tuple[int, float, float]) -> float:
        return float(ndcg_gains(_lists(data, "validation", *settings), relevant).sum(axis=1).mean())

    return _lists(data, "test", *max(product(_FACTORS, _REGULARISATIONS, _ALPHAS), key=gain))


def _lists(data: ShopData, split: Split, factors: int, regularisation: float, alpha: float) -> np.ndarray:
    model = AlternatingLeastSquares(factors, regularization=regularisation, alpha=alpha, random_state=0, num_threads=1)
    model.fit(_table(list(known_histories(data, split).values()), len(data.items)), show_progress=False)
    cuts = history_cuts(data, split)
    liked, seen = (_table([getattr(cut, name) for cut in cuts], len(data.items)) for name in ("liked", "seen"))
    vectors = model.recalculate_user(np.arange(len(cuts)), liked)
    scores = vectors @ model.item_factors.T
    scores[seen.nonzero()] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :PICKS]


def _table(histories: Sequence[np.ndarray], items: int) -> csr_matrix:
    ends = np.cumsum([0, *(len(history) for history in histories)])
    columns = np.concatenate(histories)
    return csr_matrix(csr_array((np.ones(len(columns), np.float32), columns, ends), shape=(len(histories), items)))
