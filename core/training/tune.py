"""Search for settings: Optuna proposes, the validation reward decides, hopeless trials are pruned."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import optuna
from optuna.visualization.matplotlib import plot_optimization_history, plot_parallel_coordinate, plot_param_importances

from core.training.run import Run, reuse_stages
from core.training.settings import load_settings
from core.training.task import Task
from core.training.train import train
from core.util.errors import SteerError
from core.util.files import write_text

DEFAULT_SPACE = (
    "rl.learning_rate=1e-6..3e-4",
    "rl.head_learning_rate=1e-4..1e-2",
    "rl.kl_coef=0.001..0.3",
    "rl.ent_coef=0.0003..0.03",
)

OnTrialEnd = Callable[[optuna.Study, optuna.trial.FrozenTrial], None]


class Range:
    """One setting's values: `section.key=low..high`, or `section.key=a|b|c`.

    Positive decimals are searched on a logarithmic scale, whole numbers on a linear one.

    Args:
        text: Range as a user types it.

    Raises:
        SteerError: It is no such thing.
    """

    def __init__(self, text: str) -> None:
        self.key, equals, values = text.partition("=")
        self.choices = values.split("|") if "|" in values else None
        self.low, dots, self.high = values.partition("..")
        if not equals or (self.choices is None and not self._is_interval(dots)):
            raise SteerError(f"cannot search {text!r}; write for example rl.kl_coef=0.001..0.3 or rl.algorithm=ppo|a2c")

    def suggest(self, trial: optuna.Trial) -> str:
        """An override with the value to try."""
        return f"{self.key}={self._value(trial)}"

    def _value(self, trial: optuna.Trial) -> str | int | float:
        if self.choices is not None:
            return trial.suggest_categorical(self.key, self.choices)
        if "." not in self.low + self.high and "e" not in self.low + self.high:
            return trial.suggest_int(self.key, int(self.low), int(self.high))
        return trial.suggest_float(self.key, float(self.low), float(self.high), log=float(self.low) > 0)

    def _is_interval(self, dots: str) -> bool:
        try:
            return bool(dots) and float(self.low) < float(self.high)
        except ValueError:
            return False


def tune(
    task_class: type[Task],
    folder: Path,
    *,
    trials: int,
    space: Sequence[str],
    preset: str,
    config: Path | None,
    overrides: Sequence[str],
    on_trial_end: OnTrialEnd,
) -> optuna.Study:
    """Search until `trials` have ended; trials of an earlier, interrupted search count.

    A trial takes over the stages that an earlier trial has finished with the same settings, so a search over `rl.`
    settings trains those before RL once.

    Args:
        task_class: Class of the task.
        folder: Folder of the database, the trials' runs, the plots and `best.yaml`.
        trials: Number of trials in all.
        space: Ranges to search, see `Range`.
        preset: Name of the settings to start from.
        config: YAML file of settings.
        overrides: Settings that stay fixed.
        on_trial_end: Called with every trial that ends.

    Raises:
        SteerError: A range is none, or names no setting.
    """
    ranges = [Range(text) for text in space]
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=task_class.name,
        storage=f"sqlite:///{folder / 'study.db'}",
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=len(_ended_trials(folder, task_class.name))),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    )

    def objective(trial: optuna.Trial) -> float:
        chosen = [*overrides, *(part.suggest(trial) for part in ranges)]
        return _score(task_class(load_settings(task_class.presets[preset], config, chosen)), folder, trial)

    left = trials - len(_ended(study))
    if left > 0:
        study.optimize(objective, n_trials=left, callbacks=[on_trial_end])
    _report(study, folder)
    return study


def _score(task: Task, folder: Path, trial: optuna.Trial) -> float:
    run, best = Run(folder / f"trial-{trial.number}"), -math.inf

    def on_iteration(stage: str, done: int, total: int, metrics: dict[str, float]) -> None:
        nonlocal best
        if stage != "rl":
            return
        best = max(best, metrics["validation_reward"])
        trial.report(best, done)
        if trial.should_prune():
            raise optuna.TrialPruned

    reuse_stages(task, run, [Run(trained) for trained in sorted(folder.glob("trial-*")) if trained != run.folder])
    train(task, run, on_iteration, lambda stage: None)
    return max(metrics["validation_reward"] for metrics in run.history("rl"))


def _ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=states)


def _ended_trials(folder: Path, name: str) -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{folder / 'study.db'}"
    if name not in optuna.get_all_study_names(storage):
        return []
    return _ended(optuna.load_study(study_name=name, storage=storage))


def _report(study: optuna.Study, folder: Path) -> None:
    settings: dict[str, dict[str, object]] = {}
    for key, value in study.best_params.items():
        section, _, name = key.partition(".")
        settings.setdefault(section, {})[name] = value
    write_text(folder / "best.yaml", json.dumps(settings, indent=2) + "\n")  # JSON is YAML
    plots: dict[str, Any] = {"history": plot_optimization_history, "parameters": plot_parallel_coordinate}
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) > 3:
        plots["importance"] = plot_param_importances
    for name, plot in plots.items():
        plot(study)
        plt.savefig(folder / f"{name}.png", dpi=120, bbox_inches="tight")
        plt.close("all")
