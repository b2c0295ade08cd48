"""The loop that every algorithm runs in: optimiser, schedule, clipping, validation, early stopping, checkpoints.

In several processes each computes an equal share of every batch, and the gradients are averaged in one exchange. The
wrapper `DistributedDataParallel` is left out: it must see which of a forward pass's outputs reach the loss, and a
policy gives more of them than most losses use. With FSDP the trained layers lie in shards (`core.models.sharding`).
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from core.models.distributed import is_sharded, on_cpu
from core.models.policy import Policy
from core.models.sharding import is_shard, sharded_copy
from core.rl.algorithm import Algorithm, Loss, Metrics
from core.rl.checkpoint import Progress, optimizer_tensors, read_checkpoint, restore_optimizer, write_checkpoint
from core.rl.gradients import averaged, clipped
from core.rl.schedule import learning_rate_schedule
from core.rl.settings import StageSettings
from core.util.errors import SteerError

Report = Callable[[int, int, dict[str, float]], None]


class Learner:
    """Runs an algorithm on a policy until it stops getting better, and leaves the best weights in the policy.

    Every iteration draws its randomness from (seed, iteration) alone, so a run that was killed and started again goes
    on along the same curve.

    Args:
        policy: gets the best weights in the end; without FSDP it is trained in place.
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
        policy: Policy,
        algorithm: Algorithm,
        settings: StageSettings,
        *,
        validate: Callable[[Policy], float],
        folder: Path,
        fingerprint: str,
        seed: int,
        report: Report,
    ) -> None:
        self.kept, self.algorithm, self.settings, self.validate = policy, algorithm, settings, validate
        self.folder, self.seed, self.report = folder, seed, report
        self.progress = Progress(fingerprint)
        # The encoders choose their precision themselves.
        self.accelerator = Accelerator(cpu=on_cpu(), mixed_precision="no")
        policy.to(self.accelerator.device)
        policy.set_dropout(settings.dropout)
        self.policy = sharded_copy(policy) if is_sharded() else policy
        self.trained = [parameter for parameter in self.policy.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(_parameter_groups(self.policy, settings), fused=True)
        self.steps = algorithm.updates_per_iteration() * settings.iterations
        self.schedule = learning_rate_schedule(self.optimizer, settings, self.steps)
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
            figures, rows = self.iterate(self.seed * 100_003 + progress.iteration)
            seconds = time.perf_counter() - started
            progress.iteration += 1
            self.algorithm.end_iteration(self.policy, figures)
            figures["states_per_second"] = rows / seconds
            figures["validation_reward"] = self.validate(self.policy)
            progress.history.append({"iteration": progress.iteration, **figures})
            self._keep_if_best(figures["validation_reward"])
            self._save()
            self._log(figures)
            self.report(progress.iteration, self.settings.iterations, figures)
        self.kept.load_state(self.best, "the best checkpoint")
        self.kept.to(self.accelerator.device).eval()
        return progress.history

    def iterate(self, seed: int) -> tuple[Metrics, int]:
        """One iteration of the algorithm: mean figures of its updates, and the rows that they read."""
        torch.manual_seed(seed)
        sums: dict[str, list[float]] = defaultdict(list)
        rows = 0
        for batch in self.algorithm.batches(self.policy, seed):
            self.policy.train()
            for name, value in self.algorithm.update(self.policy, batch, self.step).items():
                sums[name].append(value)
            rows += len(batch)
        return {name: float(np.mean(values)) for name, values in sums.items()}, rows

    def step(self, loss_of: Loss[Any], batch: Any) -> Metrics:
        """One step of the optimiser on the mean loss over a batch, which is equal in all processes.

        Args:
            loss_of: mean loss of some rows, and figures for the log.
            batch: see `core.rl.algorithm.Rows`.

        Raises:
            SteerError: the loss is not finite.
        """
        processes = self.accelerator.num_processes
        own = np.arange(len(batch))[self.accelerator.process_index :: processes]
        largest = math.ceil(len(batch) / processes)
        parts = np.array_split(own, math.ceil(largest / (self.settings.micro_batch or largest)))
        metrics: Metrics = defaultdict(float)
        self.optimizer.zero_grad(set_to_none=True)
        for part in parts:
            # A process without rows of a small batch goes along with weight 0: shards need every process's passes.
            rows = batch if len(part) == len(batch) else batch.rows(part if len(part) else np.zeros(1, dtype=int))
            loss, figures = loss_of(rows)
            if not torch.isfinite(loss):
                raise SteerError(
                    f"the loss became {loss.item()} in iteration {self.progress.iteration + 1}; "
                    f"lower the learning rate. The last good checkpoint is in {self.folder / 'checkpoint'}."
                )
            share = processes * len(part) / len(batch)  # the mean over processes is the mean over rows
            (loss * share).backward()
            for name, value in figures.items():
                metrics[name] += value * share
        if processes > 1:
            metrics = averaged(self.trained, metrics, self.accelerator)
        metrics["gradient_norm"] = clipped(self.trained, self.settings.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        self.policy.after_step(self.schedule.last_epoch, self.steps)
        return metrics

    def _done(self) -> bool:
        waited = self.progress.iteration - self.progress.best_iteration
        return self.progress.iteration >= self.settings.iterations or waited >= self.settings.patience

    def _keep_if_best(self, score: float) -> None:
        if score > self.progress.best_score:
            self.progress.best_score, self.progress.best_iteration = score, self.progress.iteration
            self.best = self.policy.state()

    def _save(self) -> None:
        self.progress.schedule = self.schedule.state_dict()
        self.progress.finished = self._done()
        tensors = {
            "policy": self.policy.state(),
            "best": self.best,
            "optimizer": optimizer_tensors(self.optimizer),
            "algorithm": self.algorithm.state(),
        }
        if self.accelerator.is_main_process:
            write_checkpoint(self.folder / "checkpoint", self.progress, tensors)
        self.accelerator.wait_for_everyone()

    def _restore(self) -> None:
        found = read_checkpoint(self.folder / "checkpoint", self.progress.fingerprint)
        if found is None:
            return
        self.progress, tensors = found
        self.policy.load_state(tensors["policy"], str(self.folder / "checkpoint"))
        self.best = tensors["best"]
        restore_optimizer(self.optimizer, tensors["optimizer"])
        self.algorithm.load_state(tensors.get("algorithm", {}))
        self.schedule.load_state_dict(self.progress.schedule)
        for group, rate in zip(self.optimizer.param_groups, self.schedule.get_last_lr(), strict=True):
            group["lr"] = rate  # the schedule itself would set it only after the next step

    def _log(self, figures: dict[str, float]) -> None:
        if not self.accelerator.is_main_process:
            return
        with SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.progress.iteration) as writer:
            for name, value in figures.items():
                writer.add_scalar(name, value, self.progress.iteration)


def _parameter_groups(policy: Policy, settings: StageSettings) -> list[dict[str, Any]]:
    """Pretrained weights learn slowly, new heads fast; biases and norms do not decay."""
    pretrained = {id(parameter) for parameter in policy.pretrained_parameters()}
    groups: dict[tuple[float, float, bool], list[torch.nn.Parameter]] = defaultdict(list)
    for parameter in policy.parameters():
        if parameter.requires_grad:
            rate = settings.learning_rate if id(parameter) in pretrained else settings.head_learning_rate
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            groups[rate, decay, is_shard(parameter)].append(parameter)
    return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay, _), group in groups.items()]
