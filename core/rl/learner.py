"""The loop that every algorithm runs in: optimiser, schedule, clipping, validation, early stopping, checkpoints.

In several processes each computes an equal share of every batch, and the gradients are averaged in one exchange. The
wrapper `DistributedDataParallel` is left out: it must see which of a forward pass's outputs reach the loss, and a
policy gives more of them than most losses use. With FSDP the trained layers lie in shards (`core.models.devices`).
"""

import copy
import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.utils.tensorboard import SummaryWriter

from core.models.devices import gather_full, is_shard, is_sharded, on_cpu, sharded_copy
from core.models.policy import Policy
from core.rl.algorithm import Algorithm, Batch, Metrics
from core.rl.checkpoint import Progress, optimizer_tensors, read_checkpoint, restore_optimizer, write_checkpoint
from core.rl.schedule import learning_rate_schedule
from core.rl.settings import StageSettings
from core.util.errors import SteerError

Report = Callable[[int, int, Metrics], None]
PolicyT = TypeVar("PolicyT", bound=Policy)


class Learner:
    """Runs an algorithm on a policy until it stops getting better, and leaves the weights to keep in the policy.

    Every iteration draws its randomness from (seed, iteration) alone, so a run that was killed and started again goes
    on along the same curve; only episodes that were to go on from one rollout to the next begin anew.

    Args:
        policy: Policy that gets the weights to keep in the end; without FSDP it is trained in place.
        algorithm: Algorithm that says what to learn from, and its loss.
        settings: Settings of the stage.
        validate: Function that gives a policy's reward on the validation split; the higher the better.
        folder: Folder for the checkpoint and TensorBoard's log.
        fingerprint: Hash of settings and data; a checkpoint of another one is refused.
        seed: Seed of the stage.
        report: Function that is told (iteration, iterations, metrics) after every iteration.
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
        if not self.steps:
            raise SteerError("there is nothing to learn from: the training split has no rows")
        self.schedule = learning_rate_schedule(self.optimizer, settings, self.steps)
        self.best: dict[str, Tensor] = {}

    def run(self) -> list[Metrics]:
        """Train to the end, from the checkpoint on if there is one.

        Returns:
            Metrics of each iteration.

        Raises:
            SteerError: The loss is not finite, the disk is full, or the checkpoint is not this run's; the last good
                checkpoint stays.
        """
        self._restore()
        progress = self.progress
        if not self.best:
            self._keep_if_best(self.validate(self.policy))
        while not self._done():
            started = time.perf_counter()
            metrics, rows = self.iterate(self.seed * 100_003 + progress.iteration)
            metrics["states_per_second"] = rows / (time.perf_counter() - started)
            progress.iteration += 1
            self.algorithm.end_iteration(self.policy, metrics)
            metrics["validation_reward"] = self.validate(self.policy)
            progress.history.append({"iteration": progress.iteration, **metrics})
            self._keep_if_best(metrics["validation_reward"])
            self._save()
            self._log(metrics)
            self.report(progress.iteration, self.settings.iterations, metrics)
        at_end = self.best if self.settings.load_best_model_at_end else self.policy.state()
        self.kept.load_state(at_end, "the checkpoint")
        self.kept.to(self.accelerator.device).eval()
        return progress.history

    def iterate(self, seed: int) -> tuple[Metrics, int]:
        """One iteration of the algorithm: mean metrics of its updates, and the number of rows that they read."""
        torch.manual_seed(seed)
        rows: list[int] = []

        def step(batch: Batch) -> Metrics:
            rows.append(len(batch))
            return self.step(batch)

        found: dict[str, list[float]] = defaultdict(list)
        for metrics in self.algorithm.updates(self.policy, seed, step):
            for name, value in metrics.items():
                found[name].append(value)
        return {name: float(np.mean(values)) for name, values in found.items()}, sum(rows)

    def step(self, batch: Batch) -> Metrics:
        """One step of the optimiser on the algorithm's mean loss over a batch, which is equal in all processes.

        Raises:
            SteerError: The loss is not finite.
        """
        # this process's rows, in parts that fit into memory
        processes = self.accelerator.num_processes
        own = np.arange(len(batch))[self.accelerator.process_index :: processes]
        largest = math.ceil(len(batch) / processes)
        parts = np.array_split(own, math.ceil(largest / (self.settings.micro_batch_size or largest)))
        # gradients of all parts
        metrics: Metrics = defaultdict(float)
        self.policy.train()
        self.optimizer.zero_grad(set_to_none=True)
        for part in parts:
            # A process without rows of a small batch goes along with weight 0: shards need every process's passes.
            rows = batch if len(part) == len(batch) else batch.rows(part if len(part) else np.zeros(1, dtype=int))
            loss, found = self.algorithm.loss(self.policy, rows.to(self.accelerator.device))
            if not torch.isfinite(loss):
                raise SteerError(
                    f"the loss became {loss.item()} in iteration {self.progress.iteration + 1}; "
                    f"lower the learning rate. The last good checkpoint is in {self.folder / 'checkpoint'}."
                )
            share = processes * len(part) / len(batch)  # the mean over processes is the mean over rows
            (loss * share).backward()
            for name, value in found.items():
                metrics[name] += value * share
        if processes > 1:
            metrics = all_reduce_gradients(self.trained, metrics, self.accelerator)
        # the optimiser's step
        metrics["gradient_norm"] = clip_grad_norm(self.trained, self.settings.max_grad_norm)
        self.optimizer.step()
        self.schedule.step()
        self.policy.after_step(self.schedule.last_epoch, self.steps)
        return metrics

    def _done(self) -> bool:
        waited = self.progress.iteration - self.progress.best_iteration
        return self.progress.iteration >= self.settings.iterations or waited >= self.settings.patience

    def _keep_if_best(self, score: float) -> None:
        if not math.isfinite(score):
            raise SteerError(f"the validation reward is {score}; check the validation split and its rewards")
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

    def _log(self, metrics: Metrics) -> None:
        if not self.accelerator.is_main_process:
            return
        with SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.progress.iteration) as writer:
            for name, value in metrics.items():
                writer.add_scalar(name, value, self.progress.iteration)


def trained_copy(
    policy: PolicyT,
    algorithm: Algorithm,
    settings: StageSettings,
    *,
    validate: Callable[[Policy], float],
    seed: int,
) -> PolicyT:
    """A copy of a policy, trained at one go: no folder is left, and after a kill one begins anew.

    Args:
        policy: Policy to begin with; it stays as it is.
        algorithm: As for `Learner`, as are the others.
        settings: Settings of the training.
        validate: Function that gives a policy's reward; the higher the better.
        seed: Seed of everything random.
    """
    trained = copy.deepcopy(policy)
    with tempfile.TemporaryDirectory() as folder:
        Learner(
            trained,
            algorithm,
            settings,
            validate=validate,
            folder=Path(folder),
            fingerprint="",
            seed=seed,
            report=lambda *_: None,
        ).run()
    return trained


def all_reduce_gradients(parameters: list[nn.Parameter], metrics: Metrics, accelerator: Accelerator) -> Metrics:
    """Average gradients and metrics over the processes, in one exchange.

    Args:
        parameters: Trained parameters; FSDP has averaged the gradients of those in shards already.
        metrics: Metrics of this process, with the same names in all.
        accelerator: Accelerator of this process.

    Returns:
        The averaged metrics.
    """
    # What the loss does not reach has no gradient in any process, and the optimiser then leaves it as it is.
    ours = [p for p in parameters if p.grad is not None and not is_shard(p)]
    gradients = [p.grad for p in ours if p.grad is not None]
    values = torch.tensor([metrics[name] for name in sorted(metrics)], device=accelerator.device)
    flat = torch.cat([values, *(gradient.reshape(-1) for gradient in gradients)])
    mean: Tensor = accelerator.reduce(flat, reduction="mean")
    first, *parts = mean.split([len(metrics), *(gradient.numel() for gradient in gradients)])
    for parameter, part in zip(ours, parts, strict=True):
        parameter.grad = part.view_as(parameter)
    return dict(zip(sorted(metrics), first.tolist(), strict=True))


def clip_grad_norm(parameters: list[nn.Parameter], max_norm: float) -> float:
    """Scale the gradients down to a joint norm of at most `max_norm`; their norm before that."""
    kinds = [[p for p in parameters if p.grad is not None and is_shard(p) == kind] for kind in (False, True)]
    norms = [gather_full(get_total_norm([p.grad for p in kind if p.grad is not None])) for kind in kinds if kind]
    norm = torch.stack(norms).norm()
    for kind in kinds:
        clip_grads_with_norm_(kind, max_norm, norm)
    return norm.item()


def _parameter_groups(policy: Policy, settings: StageSettings) -> list[dict[str, Any]]:
    """Pretrained weights learn slowly, new heads fast; biases and norms do not decay."""
    pretrained = {id(parameter) for parameter in policy.pretrained_parameters()}
    groups: dict[tuple[float, float, bool], list[nn.Parameter]] = defaultdict(list)
    for parameter in policy.parameters():
        if parameter.requires_grad:
            rate = settings.learning_rate if id(parameter) in pretrained else settings.head_learning_rate
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            groups[rate, decay, is_shard(parameter)].append(parameter)
    return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay, _), group in groups.items()]
