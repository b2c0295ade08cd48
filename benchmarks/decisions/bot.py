"""The customer-service bot on its test customers: what RL gains over the best other line, and what customers meet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from apps.customer_service.environment import Customer, customers
from apps.customer_service.task import CustomerService
from core.cli.workflow import train_tasks
from core.data.splits import Split
from core.envs.play import Played
from core.evaluation.bootstrap import bootstrap_mean, paired_gain
from core.evaluation.figures import figure
from core.training.evaluate import compare
from core.training.loader import open_task
from core.training.run import Run
from core.util.paths import runs_dir

SEEDS = (0, 1, 2)
_APP = CustomerService.name
_RL = "rl"


def bot_figures(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """Figures of three trainings; they stay in `decisions/SEED` of the runs, and one that was ended goes on there."""
    del data_dir  # the desk's own messages
    folders = [runs_dir() / "decisions" / str(seed) for seed in SEEDS]
    for seed, folder in zip(SEEDS, folders, strict=True):
        train_tasks([_APP], "quick", None, [f"seed={seed}"], folder, console)
    return figures_of([Run(folder / _APP) for folder in folders], console)


def figures_of(runs: Sequence[Run], console: Console) -> dict[str, dict[str, Any]]:
    """Every line's reward, what RL gains, and the shares that a support lead asks about, as means over the trainings.

    The line that RL is compared with is the best one on the validation customers of the first training.

    Args:
        runs: Finished runs of the bot with different seeds.
        console: Console for the table.
    """
    task = open_task(CustomerService, runs[0])
    best, test = compare(task, runs[0], "validation").best_baseline(), _played(runs, "test")
    earned = {name: _returns(test, name) for name in test[0]}
    results = {f"{_APP}.three_seeds.{name}": figure(bootstrap_mean(returns)) for name, returns in earned.items()}
    gain = figure(paired_gain(earned[_RL], earned[best]), target=0.0)
    seeds = ", ".join(str(paired_gain(each[_RL].returns, each[best].returns)) for each in test)
    results[f"{_APP}.rl_gain"] = gain | {"met": gain["low"] > 0, "note": f"over {best}; by seed {seeds}"}
    results |= _shares([played[_RL] for played in test], customers(task.data, "test"))
    table = Table("line", "reward", f"over {best}", title=f"{_APP}, {len(runs)} trainings, test")
    for name, returns in earned.items():
        table.add_row(name, str(bootstrap_mean(returns)), str(paired_gain(returns, earned[best])))
    console.print(table)
    return results


def _played(runs: Sequence[Run], split: Split) -> list[dict[str, Played]]:
    return [compare(open_task(CustomerService, run), run, split).played for run in runs]


def _returns(played: Sequence[dict[str, Played]], name: str) -> np.ndarray:
    """Return of each customer, a mean over the trainings."""
    return np.mean([each[name].returns for each in played], axis=0)


def _shares(played: Sequence[Played], people: Sequence[Customer]) -> dict[str, dict[str, Any]]:
    asks = np.array([who.wants == "answer" for who in people])
    vague = np.array([who.vague for who in people])
    chats = np.array([who.wants == "small_talk" for who in people])
    outcomes = np.array([each.outcomes for each in played])
    # Whoever is asked back meets more than one decision.
    asked = np.array([each.steps > 1 for each in played])

    def share(happened: np.ndarray, among: np.ndarray, better: str, target: float | None) -> dict[str, Any]:
        return figure(bootstrap_mean(happened.mean(axis=0)[among]), better=better, target=target)

    everybody = np.ones(len(people), dtype=bool)
    return {
        f"{_APP}.right": share(outcomes == "right_answer", asks, "higher", 0.60),
        f"{_APP}.wrong": share(outcomes == "wrong_answer", everybody, "lower", 0.10),
        f"{_APP}.right_after_vague": share(outcomes == "right_answer", asks & vague, "higher", None),
        f"{_APP}.asked_vague": share(asked, vague, "higher", 0.50),
        f"{_APP}.asked_clear": share(asked, ~vague, "lower", 0.05),
        f"{_APP}.small_talk_handed_over": share(outcomes == "small_talk_hand_over", chats, "lower", 0.0),
    }
