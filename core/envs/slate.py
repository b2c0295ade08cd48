"""One list of options, judged position by position."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations, count, take
from core.util.errors import SteerError

PickRewards = Callable[[np.ndarray, np.ndarray], np.ndarray]
Outcomes = Callable[[np.ndarray, np.ndarray], list[str]]
Seed = int | np.random.Generator | None


class ListSpace(spaces.MultiDiscrete):
    """Lists that hold no option twice: int64 of shape (picks,), or (lists, picks) for several side by side.

    Args:
        options: Number of options that a list can be made of.
        picks: Length of a list.
        lists: Number of lists side by side; none for one list alone.
        seed: Seed of what `sample` draws, or its generator.
    """

    def __init__(self, options: int, picks: int, lists: int | None = None, seed: Seed = None) -> None:
        self.options, self.picks = options, picks
        super().__init__(np.full(picks if lists is None else (lists, picks), options), seed=seed)

    def sample(self, mask: Any = None, probability: Any = None) -> np.ndarray:
        """Options in a random order, the first of which make the list.

        Raises:
            SteerError: Options are to be left out or drawn more often, which lists know nothing of.
        """
        if mask is not None or probability is not None:
            raise SteerError("lists are drawn from all options alike; leave out mask and probability")
        drawn = self.np_random.random((*self.shape[:-1], self.options)).argsort(axis=-1)
        return drawn[..., : self.picks].astype(self.dtype)

    def contains(self, x: Any) -> bool:
        """Whether the options are there, and none twice in a list."""
        return super().contains(x) and not _holds_twice(np.asarray(x))


@batch_space.register(ListSpace)
def _batch_lists(space: ListSpace, n: int = 1) -> ListSpace:
    return ListSpace(space.options, space.picks, n, deepcopy(space.np_random))


def _holds_twice(lists: np.ndarray) -> bool:
    return bool((np.diff(np.sort(lists, axis=-1), axis=-1) == 0).any())


class SlateEnv(EpisodeEnv):
    """The state is whatever `states` holds, the action a list of different options, and one list ends the episode.

    `infos["pick_rewards"]` (environments, picks) splits the list's reward over its positions, so that an algorithm can
    credit each pick with what came of it and of the picks after it.

    Args:
        states: State of each episode.
        space: Space of one state.
        options: Number of options that a list can be made of.
        picks: Length of a list.
        reward_fn: Function from episodes (n,) and lists (n, picks) to the reward of each position, float32 of shape
            (n, picks).
        num_envs: Number of environments side by side.
        shuffle: Whether episodes come in a random order.
        outcomes: Function from the same arguments to a name of what came of each list.
    """

    def __init__(
        self,
        states: Observations,
        space: spaces.Dict,
        *,
        options: int,
        picks: int,
        reward_fn: PickRewards,
        num_envs: int,
        shuffle: bool,
        outcomes: Outcomes | None = None,
    ) -> None:
        if not 1 <= picks <= options:
            raise SteerError(f"a list of {picks} different picks cannot be made of {options} options")
        super().__init__(num_envs, count(states), options, shuffle=shuffle)
        self.states, self.picks, self.reward_fn, self.outcomes = states, picks, reward_fn, outcomes
        self.set_spaces(space, ListSpace(options, picks))

    def begin(self, slots: np.ndarray) -> None:
        """The row says everything."""

    def observe(self) -> Observations:
        return take(self.states, self.rows)

    def act(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        if actions.shape[1] != self.picks:
            raise SteerError(f"a list here has {self.picks} picks, and {actions.shape[1]} were made")
        if _holds_twice(actions):
            raise SteerError("a list holds the same option twice; draw its picks without replacement")
        pick_rewards = self.reward_fn(self.rows, actions)
        infos: dict[str, Any] = {"pick_rewards": pick_rewards}
        if self.outcomes is not None:
            infos["outcome"] = self.outcomes(self.rows, actions)
        return pick_rewards.sum(axis=1), np.ones(self.num_envs, dtype=bool), infos
