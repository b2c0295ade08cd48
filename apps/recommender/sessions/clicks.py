"""What an outsider with data would do: learn from visits what is liked, and show what is likeliest to be."""

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingRegressor

from apps.recommender.diversity import diverse_lists
from apps.recommender.sessions.environment import SessionEnv
from apps.recommender.sessions.rule import distances
from apps.recommender.splits import PICKS
from core.envs.observations import Observations
from core.envs.play import Act
from core.models.diverse_list import DiverseListPolicy

_STEPS = 30


class ClickModel:
    """Gradient-boosted trees that foretell what each shown item earns, from what is known and its place in the list.

    Args:
        env: Visits to learn from.
        policy: Policy whose sampled lists are answered.
        seed: Seed of all chance.
    """

    def __init__(self, env: SessionEnv, policy: DiverseListPolicy, seed: int) -> None:
        chance = torch.Generator().manual_seed(seed)
        states, _ = env.reset(seed=seed)
        known, earned = [], []
        for _ in range(_STEPS):
            lists = policy.sample(states, chance).actions.numpy()
            shown = np.take_along_axis(_known(states), lists[:, :, None], axis=1)
            places = np.broadcast_to(np.arange(PICKS)[None, :, None], (*lists.shape, 1))
            known.append(np.concatenate([shown, places], axis=2).reshape(-1, shown.shape[2] + 1))
            states, _, _, _, infos = env.step(lists)
            earned.append(infos["pick_rewards"].reshape(-1))
        self.trees = HistGradientBoostingRegressor(max_iter=150, random_state=seed)
        self.trees.fit(np.concatenate(known), np.concatenate(earned))

    def worth(self, states: Observations) -> np.ndarray:
        """What each candidate would earn as the first of the list, float32 of shape (visits, candidates)."""
        known = _known(states)
        first = np.concatenate([known, np.zeros((*known.shape[:2], 1))], axis=2)
        worth: np.ndarray = self.trees.predict(first.reshape(-1, first.shape[2])).reshape(known.shape[:2])
        return worth.astype(np.float32)

    def lists(self, env: SessionEnv, trade_off: float) -> Act:
        """Lists of what is worth most, re-ordered by maximal marginal relevance."""
        return lambda states: diverse_lists(self.worth(states), distances(env.shop, states), trade_off, PICKS)


def _known(states: Observations) -> np.ndarray:
    features, visit = np.asarray(states["features"]), np.asarray(states["visit"])
    return np.concatenate([features, np.broadcast_to(visit[:, None], (*features.shape[:2], visit.shape[1]))], axis=2)
