"""Stable-Baselines3's models on our validation split (extra `sb3`): how they act, and when they stop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.envs.play import Act, play
from core.envs.single import ToBox


def act_of(model: BaseAlgorithm, columns: Mapping[str, ToBox]) -> Act:
    """The most probable actions of a model of Stable-Baselines3 that chooses, as `play` takes them.

    Args:
        model: Model that was trained on a `SingleEnv`.
        columns: Layout of the boxes that that environment made of its columns.
    """

    def act(states: Observations) -> np.ndarray:
        boxes: dict[str, Any] = {
            name: np.stack([columns[name](value) if name in columns else np.asarray(value) for value in column])
            for name, column in states.items()
        }
        actions, _ = model.predict(boxes, deterministic=True)
        return actions.reshape(len(actions), -1)

    return act


class StopWithoutImprovement(BaseCallback):
    """Ends training when the validation reward has not risen for a while, and keeps the best model.

    Args:
        validation: Environment of the validation split, made with `shuffle=False`.
        columns: Layout of the boxes that the training environment makes of its columns.
        best: Zip file that the best model is saved to.
        every: Environment steps between two validations (`eval_freq` of theirs counts calls instead).
        patience: Validations without a better reward after which training ends.

    Attributes:
        history: Mean validation reward by environment steps.
    """

    def __init__(
        self, validation: EpisodeEnv, columns: Mapping[str, ToBox], best: Path, *, every: int, patience: int
    ) -> None:
        super().__init__()
        self.validation, self.columns, self.best = validation, columns, best
        self.every, self.patience = every, patience
        self.history: dict[int, float] = {}

    def _on_rollout_start(self) -> None:
        """Validate between updates; the first time before any."""
        if self.history and self.num_timesteps - max(self.history) < self.every:
            return
        reward = float(play(self.validation, act_of(self.model, self.columns)).returns.mean())
        self.logger.record("validation/reward", reward)
        if reward > max(self.history.values(), default=-np.inf):
            self.model.save(self.best)
        self.history[self.num_timesteps] = reward

    def _on_step(self) -> bool:
        rewards = list(self.history.values())
        return len(rewards) - 1 - int(np.argmax(rewards)) < self.patience
