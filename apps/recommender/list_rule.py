"""The best known rule for lists: EASE re-ordered by maximal marginal relevance, as validation likes it best."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from apps.recommender.data import ShopData
from apps.recommender.diversity import Distances, diverse_lists
from apps.recommender.ease import Ease
from apps.recommender.ranking import highest
from apps.recommender.rewards import ListReward, Taste, ndcg_gains
from apps.recommender.splits import PICKS, HistoryCut, history_cuts, known_histories
from core.util.files import write_json
from core.util.paths import cache_folder

_REGULARISATIONS = (100.0, 200.0, 400.0, 800.0)
_HALF_LIVES = (3.0, 5.0, 10.0, 30.0)
_TRADE_OFFS = (0.0, *np.geomspace(0.05, 5.0, 14))
_CANDIDATES = 200


@dataclass(frozen=True)
class ListRule:
    """What was chosen on the validation split.

    Attributes:
        regularisation: Weight of EASE's squared norm.
        half_life: Number of likes after which an older one of the same history counts half.
        scale: Score of EASE that counts as 1: the mean of the best.
        trade_off: Worth of a distance of 1 beside such a score.
    """

    regularisation: float
    half_life: float
    scale: float
    trade_off: float


def open_rule(
    data: ShopData, distances: Distances, reward: ListReward, weights: Mapping[str, float], folder: Path | None = None
) -> ListRule:
    """The rule of these data and reward, chosen when the cache does not hold it yet.

    Args:
        data: Items and events; nothing behind the validation split is looked at.
        distances: Distances between items.
        reward: Reward of a list.
        weights: Weights of the reward's terms that differ from the defaults.
        folder: Folder of all rules; the cache by default.
    """
    digest = hashlib.sha256(json.dumps(weights, sort_keys=True).encode() + distances.texts.tobytes())
    for history in known_histories(data, "test").values():
        digest.update(history.tobytes() + b"|")
    file = (folder or cache_folder("recommender")) / f"rule-{digest.hexdigest()[:16]}.json"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, asdict(choose_rule(data, distances, reward)))
    return ListRule(**json.loads(file.read_text(encoding="utf-8")))


def choose_rule(data: ShopData, distances: Distances, reward: ListReward) -> ListRule:
    """EASE by its NDCG@10 over all items, and then the trade-off by the reward, both on the validation split."""
    cuts = history_cuts(data, "validation")
    known = list(known_histories(data, "validation").values())
    best, scale, ranked = (-1.0, 0.0, 0.0), 1.0, np.zeros(0)
    for regularisation in _REGULARISATIONS:
        ease = Ease(known, len(data.items), regularisation)
        for half_life in _HALF_LIVES:
            scores = _unseen(ease.scores([cut.liked for cut in cuts], half_life), cuts)
            gain = _ndcg(highest(scores, 10), cuts)
            if gain > best[0]:
                best, ranked = (gain, regularisation, half_life), scores
    scale = max(float(ranked.max(axis=1).mean()), 1e-6)
    candidates = highest(ranked / scale, _CANDIDATES)
    relevance = np.take_along_axis(ranked / scale, candidates, axis=1)
    return ListRule(
        best[1], best[2], scale, best_trade_off(_TRADE_OFFS, candidates, relevance, cuts, distances, reward)
    )


def best_trade_off(
    trade_offs: Iterable[float],
    candidates: np.ndarray,
    relevance: np.ndarray,
    cuts: Sequence[HistoryCut],
    distances: Distances,
    reward: ListReward,
) -> float:
    """The trade-off of maximal marginal relevance that earns most, the first of those that earn alike.

    Args:
        trade_offs: Trade-offs to choose from, see `diverse_lists`.
        candidates: Items to choose from at each cut, int64 of shape (cuts, candidates); -1 is none.
        relevance: Relevance of each, float32 of that shape; -inf never gets picked.
        cuts: Cut histories, with what the users went on to like.
        distances: Distances between items.
        reward: Reward of a list.
    """
    apart = distances.within(candidates)
    histories, taste = [cut.liked for cut in cuts], Taste.of_likes([cut.relevant for cut in cuts])

    def mean_reward(trade_off: float) -> float:
        lists = np.take_along_axis(candidates, diverse_lists(relevance, apart, trade_off, PICKS), axis=1)
        return float(reward(histories, lists, taste).sum(axis=1).mean())

    return float(max(trade_offs, key=mean_reward))


def _unseen(scores: np.ndarray, cuts: Sequence[HistoryCut]) -> np.ndarray:
    for row, cut in zip(scores, cuts, strict=True):
        row[cut.seen] = -np.inf
    return scores


def _ndcg(lists: np.ndarray, cuts: Sequence[HistoryCut]) -> float:
    return float(ndcg_gains(lists, [cut.relevant for cut in cuts]).sum(axis=1).mean())
