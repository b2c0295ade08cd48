"""One learner for all the benchmark's runs, with a clock that stops during validation."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rl.task import Questions, mean_reward
from core.models.actor_critic import ActorCritic
from core.rl.algorithm import Algorithm
from core.rl.learner import Learner
from core.rl.settings import StageSettings


class Training:
    """Runs an algorithm without checkpoints and early stopping.

    Args:
        trained: is trained in place.
        algorithm: see `core.rl.algorithm.Algorithm`.
        settings: of the stage.
        seed: of everything random.
    """

    def __init__(self, trained: ActorCritic, algorithm: Algorithm, settings: StageSettings, seed: int) -> None:
        self.trained, self.algorithm, self.seed = trained, algorithm, seed
        self._folder = tempfile.TemporaryDirectory()
        self.learner = Learner(
            trained,
            algorithm,
            settings,
            validate=lambda _: 0.0,
            folder=Path(self._folder.name),
            fingerprint="",
            seed=seed,
            report=lambda *_: None,
        )

    def iterations(self, count: int) -> dict[str, float]:
        """Train; figures of the last iteration."""
        figures: dict[str, float] = {}
        for iteration in range(count):
            figures, _ = self.learner.iterate(self.seed * 100_003 + iteration)
            self.algorithm.end_iteration(self.trained, figures)
        return figures

    def seconds_to(self, target: float, validation: Questions, *, every: int, budget: float) -> tuple[float, bool]:
        """Seconds of training until the mean validation reward reaches `target`, and whether it did within `budget`.

        Args:
            target: mean reward.
            validation: is scored after every `every` updates, off the clock.
            every: updates.
            budget: seconds of training.
        """
        spent, iteration, updates = 0.0, 0, 0
        while spent < budget:
            begun = time.perf_counter()
            for batch in self.algorithm.batches(self.trained, self.seed * 100_003 + iteration):
                self.trained.train()
                self.algorithm.update(self.trained, batch, self.learner.step)
                updates += 1
                if updates % every == 0:
                    spent += time.perf_counter() - begun
                    if mean_reward(self.trained, validation).mean() >= target:
                        return spent, True
                    begun = time.perf_counter()
            spent += time.perf_counter() - begun
            iteration += 1
        return budget, False


def rate_of(work: Callable[[], int]) -> float:
    """Units of work a second."""
    begun = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - begun)


def ratio_estimate(pairs: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Median ratio of pairs measured one after the other, with the smallest and the largest."""
    ratios = np.array([a / b for a, b in pairs])
    return float(np.median(ratios)), float(ratios.min()), float(ratios.max())


def copy_of(source: ActorCritic, fresh: ActorCritic) -> ActorCritic:
    """`fresh` with the trained weights of `source`."""
    state: dict[str, Any] = source.state()
    fresh.load_state(state, "the warm start")
    return fresh
