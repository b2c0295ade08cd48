"""The commands that train, evaluate, tune and benchmark, with their progress on a terminal."""

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from core.cli.tables import comparison_tables
from core.training.evaluate import compare, save_comparison, saved_comparison
from core.training.loader import load_task, open_task
from core.training.run import Run, fingerprint
from core.training.settings import load_settings
from core.training.task import Task
from core.training.train import begin, train
from core.util.errors import SteerError


def train_tasks(
    names: Sequence[str],
    preset: str | None,
    config: Path | None,
    overrides: Sequence[str],
    runs: Path,
    console: Console,
    *,
    fresh: bool = False,
) -> None:
    """Train each task into `runs / its name`, with a progress bar for each stage.

    What becomes of an earlier run, `core.training.train.begin` says.

    Args:
        names: Names of the tasks, folders of workspaces, or files.
        preset: Name of the settings to start from; each task's own by default.
        config: YAML file of settings that come over the preset's.
        overrides: Settings such as rl.iterations=20 that come over both.
        runs: Folder of the runs.
        console: Console to print on.
        fresh: Whether to start over, and take over nothing.

    Raises:
        SteerError: Unknown task or preset, or wrong settings.
    """
    for name in names:
        task_class = load_task(name)
        task = task_class(load_settings(task_class.presets[_preset(task_class, preset)], config, overrides))
        run = Run(runs / task_class.name)
        earlier = begin(task, run, fresh=fresh)
        if earlier is not None:
            console.print(f"{task.title}: an earlier run of other settings, code or data is kept in {earlier.folder}")
        _train_with_progress(task, run, console)


def evaluate_tasks(
    names: Sequence[str], runs: Path, console: Console, *, again: bool = True
) -> dict[str, dict[str, Any]]:
    """Compare each trained task with its baselines on the test split; print, save and return the figures.

    Args:
        names: Names of the tasks, or files.
        runs: Folder of the runs.
        console: Console to print on.
        again: Whether to play the episodes even where the run folder holds them already.

    Raises:
        SteerError: A task has not been trained yet.
    """
    results: dict[str, dict[str, Any]] = {}
    for name in names:
        task_class = load_task(name)
        run = Run(runs / task_class.name)
        task = open_task(task_class, run)
        if not run.belongs_to(fingerprint(task)):
            console.print(
                f"{task.title}: its code or data have changed since it was trained; `steer train {name}` again"
            )
        comparison = None if again else saved_comparison(task, run)
        if comparison is None:
            with console.status(Text(f"evaluating {task.title} on the test split")):
                comparison = compare(task, run)
            save_comparison(task, run, comparison)
        for table in comparison_tables(comparison, task.title):
            console.print(table)
        results |= comparison.figures()
    return results


def tune_task(
    name: str,
    trials: int,
    search: Sequence[str],
    preset: str | None,
    config: Path | None,
    overrides: Sequence[str],
    runs: Path,
    console: Console,
) -> None:
    """Search for a task's settings in `runs / NAME.tune`, with a progress bar.

    Raises:
        SteerError: Unknown task or preset, or wrong settings or ranges.
    """
    from core.training.tune import DEFAULT_SPACE, tune

    task_class = load_task(name)
    folder = runs / f"{task_class.name}.tune"
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(task_class.title, total=trials)

        def on_trial_end(study: Any, trial: Any) -> None:
            progress.update(bar, completed=min(trials, trial.number + 1))
            score = "pruned" if trial.value is None else f"{trial.value:.3f}"
            shown = {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in trial.params.items()}
            values = ", ".join(f"{key} {value}" for key, value in shown.items())
            console.print(f"  trial {trial.number}: {score}  ({values})")

        study = tune(
            task_class,
            folder,
            trials=trials,
            space=search or DEFAULT_SPACE,
            preset=_preset(task_class, preset),
            config=config,
            overrides=overrides,
            on_trial_end=on_trial_end,
        )
    console.print(
        f"best validation reward {study.best_value:.3f}; `steer train {name} --config {folder / 'best.yaml'}`"
    )


def run_benchmark(name: str, only: str | None, data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """The figures of `benchmarks.NAME`, or of one of its `PARTS`.

    Raises:
        SteerError: There is no such benchmark here, or no such part of it.
    """
    root = Path(__file__).parents[2] / "benchmarks"
    names = sorted(folder.parent.name for folder in root.glob("*/__init__.py"))
    if name not in names:
        raise SteerError(
            f"there is no benchmark {name!r}; in a source checkout there are: {', '.join(names) or 'none'}"
        )
    benchmark = importlib.import_module(f"benchmarks.{name}")
    if only is None:
        return benchmark.run(data_dir, console)
    parts = getattr(benchmark, "PARTS", {})
    if only not in parts:
        raise SteerError(f"{name} has no part {only!r}; there are: {', '.join(parts) or 'none, it runs as a whole'}")
    return parts[only](data_dir, console)


def training_progress(console: Console) -> Progress:
    """Bars that show the figures of each iteration; tasks need the field `figures`."""
    return Progress(
        TextColumn("  {task.description:<12}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
    )


def shown_figures(figures: dict[str, float]) -> str:
    """The figures of an iteration that people watch."""
    shown = {"reward": "validation_reward", "kl": "kl", "states/s": "states_per_second"}
    return "  ".join(f"{label} {figures[key]:.3g}" for label, key in shown.items() if key in figures)


def _preset(task_class: type[Task], name: str | None) -> str:
    name = name or task_class.preset
    if name not in task_class.presets:
        raise SteerError(f"{task_class.name} has no preset {name!r}; there are {', '.join(task_class.presets)}")
    return name


def _train_with_progress(task: Task, run: Run, console: Console) -> None:
    stages = task.stages()
    if all(run.is_finished(stage.name, fingerprint(task, stage)) for stage in stages) and run.settings.is_file():
        console.print(f"{task.title}: trained already ({run.folder})")
        return
    console.print(task.title, style="bold")
    started = time.perf_counter()
    with training_progress(console) as progress:
        bars = {stage.name: progress.add_task(stage.name, total=None, start=False, figures="") for stage in stages}

        def on_iteration(stage: str, done: int, total: int, metrics: dict[str, float]) -> None:
            progress.update(bars[stage], completed=done, total=total, figures=shown_figures(metrics))

        def on_stage_start(stage: str) -> None:
            for bar in progress.tasks:
                if bar.started and not bar.finished:  # a stage that stopped early
                    progress.stop_task(bar.id)
            progress.start_task(bars[stage])

        train(task, run, on_iteration, on_stage_start)
    console.print(f"  done in {time.perf_counter() - started:.0f} s, in {run.folder}")
