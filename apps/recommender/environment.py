"""The environment: show one list of ten to a user at one moment."""

from collections.abc import Sequence

import numpy as np
from gymnasium import spaces

from apps.recommender.candidates import CANDIDATES, FEATURES
from apps.recommender.rewards import ListReward
from apps.recommender.splits import Moment
from core.envs.observations import Observations
from core.envs.slate import SlateEnv

PICKS = 10


def recommender_env(
    moments: Sequence[Moment],
    states: Observations,
    items: int,
    reward: ListReward,
    num_envs: int,
    *,
    shuffle: bool,
) -> SlateEnv:
    """Lists of `PICKS` out of `CANDIDATES`, judged by what each user went on to like.

    Args:
        moments: one for each episode.
        states: of the moments (see `CandidateBuilder.states`).
        items: films in the catalogue.
        reward: of a list.
        num_envs: environments side by side.
        shuffle: see `EpisodeEnv`.
    """
    candidates = np.asarray(states["candidates"])

    def shown(rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        return np.take_along_axis(candidates[rows], columns, axis=1), [moments[row].relevant for row in rows]

    def judge(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return reward(*shown(rows, columns))

    def outcomes(rows: np.ndarray, columns: np.ndarray) -> list[str]:
        lists = zip(*shown(rows, columns), strict=True)
        return ["hit" if np.isin(films, relevant).any() else "miss" for films, relevant in lists]

    return SlateEnv(
        states,
        state_space(items),
        options=CANDIDATES,
        picks=PICKS,
        reward_fn=judge,
        num_envs=num_envs,
        shuffle=shuffle,
        outcomes=outcomes,
    )


def state_space(items: int) -> spaces.Dict:
    """Liked films of any number, the candidates, and what is known about each of them."""
    return spaces.Dict(
        {
            "history": spaces.Sequence(spaces.Discrete(items)),
            "candidates": spaces.Box(-1, items - 1, (CANDIDATES,), np.int64),
            "features": spaces.Box(-np.inf, np.inf, (CANDIDATES, len(FEATURES)), np.float32),
        }
    )
