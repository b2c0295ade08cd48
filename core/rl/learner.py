"""The loop that every algorithm runs in: optimiser, schedule, clipping, validation, early stopping, checkpoints."""

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from transformers import get_scheduler

from core.config import StageSettings
from core.errors import SteerError
from core.models.policy import ActorCritic
from core.rl.algorithm import Algorithm
from core.rl.checkpoint import Progress, optimizer_tensors, read_checkpoint, restore_optimizer, write_checkpoint

Report = Callable[[int, int, dict[str, float]], None]


class Learner:
    """Runs an algorithm on a policy until it stops getting better, and leaves the best weights in the policy.

    Every iteration draws its randomness from (seed, iteration) alone, so a run that was killed and started again goes
    on along the same curve.

    Args:
        policy: is trained in place.
        algorithm: yields batches and their loss.
        settings: of the stage.
        validate: reward on the validation split; the higher the better.
        folder: for the checkpoint and TensorBoard's log.
        fingerprint: of settings and data.
        seed: of the stage.
        report: told (iteration, iterations, figures) after every iteration.
    """

    def __init__(
        self,
        policy: ActorCritic,
        algorithm: Algorithm[Any],
        settings: StageSettings,
        *,
        validate: Callable[[ActorCritic], float],
        folder: Path,
        fingerprint: str,
        seed: int,
        report: Report,
    ) -> None:
        self.policy, self.algorithm, self.settings, self.validate = policy, algorithm, settings, validate
        self.folder, self.seed, self.report = folder, seed, report
        self.progress = Progress(fingerprint)
        policy.set_dropout(settings.dropout)
        self.optimizer = torch.optim.AdamW(_parameter_groups(policy, settings))
        steps = algorithm.updates_an_iteration() * settings.iterations
        warmup = round(settings.warmup * steps)
        self.schedule = get_scheduler(
            settings.schedule, self.optimizer, num_warmup_steps=warmup, num_training_steps=steps
        )
        self.best: dict[str, Tensor] = {}

    def run(self) -> list[dict[str, float]]:
        """Train to the end, from the checkpoint on if there is one.

        Returns:
            One row of figures for each iteration.

        Raises:
            SteerError: the loss is not finite, the disk is full, or the checkpoint is not this run's; the last good
                checkpoint stays.
        """
        self._restore()
        progress = self.progress
        if not self.best:
            self._keep_if_best(self.validate(self.policy))
        while not self._done():
            started = time.perf_counter()
            figures, rows = self._iterate(self.seed * 100_003 + progress.iteration)
            seconds = time.perf_counter() - started
            progress.iteration += 1
            figures["states_a_second"] = rows / seconds
            figures["validation_reward"] = self.validate(self.policy)
            progress.history.append({"iteration": progress.iteration, **figures})
            self._keep_if_best(figures["validation_reward"])
            self._save()
            self._log(figures)
            self.report(progress.iteration, self.settings.iterations, figures)
        self.policy.load_state(self.best, "the best checkpoint")
        self.policy.eval()
        return progress.history

    def _iterate(self, seed: int) -> tuple[dict[str, float], int]:
        torch.manual_seed(seed)
        sums: dict[str, list[float]] = defaultdict(list)
        rows = 0
        trained = [parameter for parameter in self.policy.parameters() if parameter.requires_grad]
        for batch in self.algorithm.batches(self.policy, seed):
            self.policy.train()
            loss, metrics = self.algorithm.loss(self.policy, batch)
            if not torch.isfinite(loss):
                raise SteerError(
                    f"the loss became {loss.item()} in iteration {self.progress.iteration + 1}; "
                    f"lower the learning rate. The last good checkpoint is in {self.folder / 'checkpoint'}."
                )
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            metrics["gradient_norm"] = float(torch.nn.utils.clip_grad_norm_(trained, self.settings.clip_norm))
            self.optimizer.step()
            self.schedule.step()
            rows += self.settings.batch_size
            for name, value in metrics.items():
                sums[name].append(value)
        return {name: float(np.mean(values)) for name, values in sums.items()}, rows

    def _done(self) -> bool:
        waited = self.progress.iteration - self.progress.best_iteration
        return self.progress.iteration >= self.settings.iterations or waited >= self.settings.patience

    def _keep_if_best(self, score: float) -> None:
        if score > self.progress.best_score:
            self.progress.best_score, self.progress.best_iteration = score, self.progress.iteration
            self.best = {name: tensor.clone() for name, tensor in self.policy.state().items()}

    def _save(self) -> None:
        self.progress.schedule = self.schedule.state_dict()
        self.progress.finished = self._done()
        tensors = {"policy": self.policy.state(), "best": self.best, "optimizer": optimizer_tensors(self.optimizer)}
        write_checkpoint(self.folder / "checkpoint", self.progress, tensors)

    def _restore(self) -> None:
        found = read_checkpoint(self.folder / "checkpoint", self.progress.fingerprint)
        if found is None:
            return
        self.progress, tensors = found
        self.policy.load_state(tensors["policy"], str(self.folder / "checkpoint"))
        self.best = tensors["best"]
        restore_optimizer(self.optimizer, tensors["optimizer"])
        self.schedule.load_state_dict(self.progress.schedule)
        for group, rate in zip(self.optimizer.param_groups, self.schedule.get_last_lr(), strict=True):
            group["lr"] = rate  # the schedule itself would set it only after the next step

    def _log(self, figures: dict[str, float]) -> None:
        with SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.progress.iteration) as writer:
            for name, value in figures.items():
                writer.add_scalar(name, value, self.progress.iteration)


def _parameter_groups(policy: ActorCritic, settings: StageSettings) -> list[dict[str, Any]]:
    """Pretrained weights learn slowly, new heads fast; biases and norms do not decay."""
    pretrained = {id(parameter) for parameter in policy.encoder.parameters()}
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = defaultdict(list)
    for parameter in policy.parameters():
        if parameter.requires_grad:
            rate = settings.learning_rate if id(parameter) in pretrained else settings.head_learning_rate
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            groups[rate, decay].append(parameter)
    return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()]
