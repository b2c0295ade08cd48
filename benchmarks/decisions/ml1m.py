"""MovieLens-1M, leave-one-out on the 512 users whose histories are complete, by EASE on recency-weighted histories.

Full ranking, seen items left out, as gSASRec's tables have it (Petrov & Macdonald 2023).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.recommender.ease import Ease

_REGULARISATIONS = (300.0, 1000.0, 3000.0)
_HALF_LIVES = (1.0, 2.0, 3.0, 5.0)
_VALIDATION, _BATCH = 1000, 256


@dataclass(frozen=True)
class LeftOut:
    """Whose next item is to be foretold.

    Attributes:
        histories: Items before it, oldest first, int64.
        items: The item of each, int64 of shape (users,).
    """

    histories: Sequence[np.ndarray]
    items: np.ndarray


def ranks_on_ml1m(folder: Path) -> np.ndarray:
    """Rank of each of the 512 users' last item among all that they have not seen, from 0, int64 of shape (512,).

    What EASE weighs is chosen on the last known item of a thousand users.

    Args:
        folder: Folder of the published files.
    """
    histories, complete, next_to_last, last = (
        _rows(folder / f"{name}.txt") for name in ("train_input", "val_input", "val_output", "test_output")
    )
    items = 1 + max(int(row.max()) for part in (histories, complete, next_to_last, last) for row in part)
    row_of = {history.tobytes(): row for row, history in enumerate(histories)}
    known = [row_of[history[:-1].tobytes()] for history in complete]  # their training files end an item earlier
    users = LeftOut(
        [np.concatenate(both) for both in zip(complete, next_to_last, strict=True)],
        np.array([last[row][-1] for row in known]),
    )
    regularisation, half_life = _chosen(histories, items)
    return _ranks(Ease(histories, items, regularisation), users, half_life)


def _chosen(histories: Sequence[np.ndarray], items: int) -> tuple[float, float]:
    held_out = set(np.random.default_rng(0).choice(len(histories), _VALIDATION, replace=False).tolist())
    shorter = [history[:-1] if row in held_out else history for row, history in enumerate(histories)]
    users = LeftOut([shorter[row] for row in held_out], np.array([histories[row][-1] for row in held_out]))

    def gain(regularisation: float) -> dict[tuple[float, float], float]:
        ease = Ease(shorter, items, regularisation)
        return {(regularisation, life): ndcg10(_ranks(ease, users, life)).mean() for life in _HALF_LIVES}

    gains = {chosen: value for each in _REGULARISATIONS for chosen, value in gain(each).items()}
    return max(gains, key=gains.__getitem__)


def ndcg10(ranks: np.ndarray) -> np.ndarray:
    """NDCG@10 of one right item at each rank, float64 of the same shape."""
    return np.where(ranks < 10, 1 / np.log2(ranks + 2.0), 0.0)


def _ranks(ease: Ease, users: LeftOut, half_life: float) -> np.ndarray:
    ranks = []
    for start in range(0, len(users.histories), _BATCH):
        histories = users.histories[start : start + _BATCH]
        for scores, seen, item in zip(ease.scores(histories, half_life), histories, users.items[start:], strict=False):
            wanted = scores[item]
            scores[seen] = -np.inf
            ranks.append(int((scores > wanted).sum()))
    return np.array(ranks)


def _rows(file: Path) -> list[np.ndarray]:
    return [np.array(line.split(), dtype=np.int64) for line in file.read_text(encoding="utf-8").splitlines()]
