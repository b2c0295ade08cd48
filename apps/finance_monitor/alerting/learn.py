"""Learns when to alert, and writes the shipped weights: `python -m apps.finance_monitor.alerting.learn --help`.

Streams of the shipped news' training weeks are read as the trained policy of a run reads what is new to it. The best
rule's threshold is tuned on them; a correction to it first imitates hindsight, and then climbs the exact gradient of
the reward. The validation weeks decide whether, and after which iteration, it leaves the rule.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from safetensors.numpy import save_file

from apps.finance_monitor.alerting.environment import AlertEnv
from apps.finance_monitor.alerting.outsiders import tuned
from apps.finance_monitor.alerting.policy import alert_policy, policy_weights
from apps.finance_monitor.alerting.reading import AsHeldOut, AsServed
from apps.finance_monitor.alerting.rewards import REWARD
from apps.finance_monitor.alerting.rule import BASE, WEIGHTS
from apps.finance_monitor.alerting.streams import Planting, Stream, traffic_of
from apps.finance_monitor.alerting.values import StreamValues
from apps.finance_monitor.engine import NewsEngine
from apps.finance_monitor.model import NewsModel
from apps.finance_monitor.task import FinanceMonitor
from core.data.splits import Split
from core.envs.play import play
from core.models.actor_critic import ActorCritic
from core.models.policy import Policy
from core.platform.inference.engine import Engine
from core.rl.all_action import AllAction, AllActionSettings
from core.rl.learner import trained_copy
from core.rl.ppo import PPO, PPOSettings
from core.rl.supervised import Demonstrations, Supervised, SupervisedSettings
from core.training.loader import open_task
from core.training.run import Run
from core.util.paths import runs_dir

STREAMS: dict[Split, int] = {"train": 2000, "validation": 800, "test": 1000}
_SEEDS: dict[Split, int] = {"train": 10, "validation": 1, "test": 2}
# Training streams that thresholds are tuned on: one number needs no more.
TUNED_ON = 1000
_SIDE_BY_SIDE = 64


def news_model(runs: Path) -> NewsModel:
    """The model of a trained run."""
    run = Run(runs / FinanceMonitor.name)
    task = open_task(FinanceMonitor, run)
    assert isinstance(task, FinanceMonitor)
    return NewsModel(task, Engine.local(NewsEngine(task, run)))


def streams_of(model: NewsModel, split: Split, count: int | None = None) -> list[Stream]:
    """Streams planted in the news of a split, with headlines of that split alone."""
    news = model.news
    read = AsHeldOut(model, news.of("validation")) if split == "train" else AsServed(model)
    planting = Planting(traffic_of(news, split), news, split, read, model.vectors)
    return planting.streams(count or STREAMS[split], _SEEDS[split])


class Training:
    """What one can do to get from the best rule to a better policy; validation chooses each one's best iteration.

    Attributes:
        judge: The validation streams.

    Args:
        train: Streams that are learnt from.
        validation: Streams that choose.
    """

    def __init__(self, train: Sequence[Stream], validation: Sequence[Stream]) -> None:
        self.env = AlertEnv(train, REWARD, _SIDE_BY_SIDE, shuffle=True)
        self.judge = AlertEnv(validation, REWARD, _SIDE_BY_SIDE)
        self.values = StreamValues(train, REWARD)
        self.threshold = tuned(BASE, AlertEnv(train[:TUNED_ON], REWARD, _SIDE_BY_SIDE))

    def imitated(self, seed: int, iterations: int = 30) -> ActorCritic:
        """The rule, corrected by imitating hindsight: alert in a surge, and nowhere else."""
        torch.manual_seed(seed)
        settings = SupervisedSettings(iterations=iterations, patience=iterations, **_rates(3e-3))
        targets = np.eye(2, dtype=np.float32)[self.values.in_surge.astype(int)]
        demonstrations = Demonstrations(self.values.observations, targets)
        return trained_copy(
            alert_policy(self.threshold),
            Supervised(demonstrations, settings),
            settings,
            validate=self.earned,
            seed=seed,
        )

    def climbed(self, start: ActorCritic, seed: int, iterations: int = 25) -> ActorCritic:
        """A policy that has climbed the exact gradient of the reward."""
        settings = AllActionSettings(
            iterations=iterations, patience=iterations, ent_coef=0.0, kl_coef=0.0, **_rates(1e-3)
        )
        return trained_copy(
            start, AllAction(self.values.observations, self.values, settings), settings, validate=self.earned, seed=seed
        )

    def practised(self, start: ActorCritic, seed: int, iterations: int = 12) -> ActorCritic:
        """A policy that has learnt from its own rollouts by PPO."""
        settings = PPOSettings(
            iterations=iterations,
            patience=iterations,
            n_envs=_SIDE_BY_SIDE,
            n_steps=64,
            n_epochs=4,
            ent_coef=0.0,
            kl_coef=0.0,
            fresh_episodes=False,
            **_rates(1e-3),
        )
        return trained_copy(start, PPO(self.env, settings), settings, validate=self.earned, seed=seed)

    def earned(self, policy: Policy) -> float:
        """Mean return on the validation streams."""
        return float(play(self.judge, policy.predict).returns.mean())


def _rates(rate: float) -> dict[str, Any]:
    return {"batch_size": 512, "learning_rate": rate, "head_learning_rate": rate}


def main(
    runs: Annotated[Path | None, typer.Option(help="folder of runs [default: ./runs]")] = None,
    out: Annotated[Path, typer.Option(help="file of the weights")] = WEIGHTS,
    seeds: Annotated[int, typer.Option(help="policies to train; the best on validation is kept")] = 3,
) -> None:
    """Learn when to alert from the shipped news, and write the weights."""
    model, console = news_model(runs or runs_dir()), Console()
    training = Training(streams_of(model, "train"), streams_of(model, "validation"))
    policies = [training.climbed(training.imitated(seed), seed) for seed in range(seeds)]
    earned = [training.earned(policy) for policy in policies]
    console.print(*(f"seed {seed}: {reward:.3f}" for seed, reward in enumerate(earned)), sep="\n")
    save_file(policy_weights(policies[int(np.argmax(earned))]), out)


if __name__ == "__main__":
    typer.run(main)
