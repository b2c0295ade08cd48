"""The environment: show one list of ten to a user at one moment."""

from collections.abc import Sequence

import numpy as np
from gymnasium import spaces

from apps.recommender.candidates import CANDIDATES, FEATURES
from apps.recommender.rewards import ListReward, Taste
from apps.recommender.splits import PICKS, HistoryCut
from core.envs.observations import Observations
from core.envs.slate import SlateEnv


def recommender_env(
    cuts: Sequence[HistoryCut],
    states: Observations,
    items: int,
    reward: ListReward,
    num_envs: int,
    *,
    shuffle: bool,
) -> SlateEnv:
    """Lists of `PICKS` out of `CANDIDATES`, paid by what each user went on to like.

    Args:
        cuts: Cut history of each episode.
        states: States of the cuts (see `CandidateBuilder.states`).
        items: Number of items in the catalogue.
        reward: Reward of a list.
        num_envs: Number of environments side by side.
        shuffle: See `EpisodeEnv`.
    """
    candidates = np.asarray(states["candidates"])

    def shown(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.take_along_axis(candidates[rows], columns, axis=1)

    def pick_rewards(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        taste = Taste.of_likes([cuts[row].relevant for row in rows])
        rewards: np.ndarray = reward([cuts[row].liked for row in rows], shown(rows, columns), taste)
        return rewards.astype(np.float32)

    def outcomes(rows: np.ndarray, columns: np.ndarray) -> list[str]:
        lists = zip(rows, shown(rows, columns), strict=True)
        return ["hit" if np.isin(items, cuts[row].relevant).any() else "miss" for row, items in lists]

    return SlateEnv(
        states,
        state_space(items),
        options=CANDIDATES,
        picks=PICKS,
        reward_fn=pick_rewards,
        num_envs=num_envs,
        shuffle=shuffle,
        outcomes=outcomes,
    )


def state_space(items: int) -> spaces.Dict:
    """Liked items of any number, the candidates, and what is known about each of them."""
    return spaces.Dict(
        {
            "history": spaces.Sequence(spaces.Discrete(items), stack=True),
            "candidates": spaces.Box(-1, items - 1, (CANDIDATES,), np.int64),
            "features": spaces.Box(-np.inf, np.inf, (CANDIDATES, len(FEATURES)), np.float32),
        }
    )
