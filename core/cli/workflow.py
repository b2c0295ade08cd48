"""The verbs of the command line, on one or several tasks."""

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from core.evaluation.compare import Comparison, compare
from core.evaluation.report import comparison_figures, comparison_table, episodes_file, save_comparison
from core.training.loader import load_task, open_task
from core.training.run import STAGES, Run, fingerprint, train
from core.training.settings import load_settings
from core.training.task import Task
from core.util.errors import SteerError


def train_tasks(
    names: Sequence[str],
    preset: str,
    config: Path | None,
    overrides: Sequence[str],
    runs: Path,
    console: Console,
    *,
    fresh: bool = False,
) -> None:
    """Train each task into `runs / its name`, with a progress bar for each stage.

    A run of other settings or data is moved aside, never overwritten.

    Raises:
        SteerError: unknown task or preset, or wrong settings.
    """
    for name in names:
        kind = load_task(name)
        _check_preset(kind, preset)
        task = kind(load_settings(kind.presets[preset], config, overrides))
        run = Run(runs / kind.name)
        if run.folder.exists() and (fresh or not run.belongs_to(fingerprint(task))):
            console.print(f"{kind.title}: an earlier run of other settings or data is kept in {run.move_aside()}")
        _train_with_progress(task, run, console)


def evaluate_tasks(
    names: Sequence[str], runs: Path, console: Console, *, again: bool = True
) -> dict[str, dict[str, Any]]:
    """Compare each trained task with its baselines on the test split; print, save and return the figures.

    Args:
        names: of the tasks.
        runs: folder of the runs.
        console: to print on.
        again: play the episodes even where the run folder holds them already.

    Raises:
        SteerError: a task has not been trained yet.
    """
    results: dict[str, dict[str, Any]] = {}
    for name in names:
        kind = load_task(name)
        run = Run(runs / kind.name)
        task = open_task(kind, run)
        comparison = None if again else Comparison.saved(episodes_file(run), fingerprint(task))
        if comparison is None:
            with console.status(f"evaluating {kind.title} on the test split"):
                comparison = compare(task, run)
            save_comparison(task, run, comparison)
        console.print(comparison_table(comparison, kind.title))
        results |= comparison_figures(comparison)
    return results


def tune_task(
    name: str,
    trials: int,
    search: Sequence[str],
    preset: str,
    config: Path | None,
    overrides: Sequence[str],
    runs: Path,
    console: Console,
) -> None:
    """Search for a task's settings in `runs / NAME.tune`, with a progress bar.

    Raises:
        SteerError: unknown task or preset, or wrong settings or ranges.
    """
    from core.training.tune import DEFAULT_SPACE, tune

    kind = load_task(name)
    _check_preset(kind, preset)
    folder = runs / f"{kind.name}.tune"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(kind.title, total=trials)

        def told(study: Any, trial: Any) -> None:
            progress.update(bar, completed=min(trials, trial.number + 1))
            score = "pruned" if trial.value is None else f"{trial.value:.3f}"
            shown = {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in trial.params.items()}
            values = ", ".join(f"{key} {value}" for key, value in shown.items())
            console.print(f"  trial {trial.number}: {score}  ({values})")

        study = tune(
            kind,
            folder,
            trials=trials,
            space=search or DEFAULT_SPACE,
            preset=preset,
            config=config,
            overrides=overrides,
            told=told,
        )
    console.print(
        f"best validation reward {study.best_value:.3f}; `steer train {name} --config {folder / 'best.yaml'}`"
    )


def run_benchmark(name: str, data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """The figures of `benchmarks.NAME`.

    Raises:
        SteerError: there is no such benchmark here.
    """
    root = Path(__file__).parents[2] / "benchmarks"
    names = sorted(folder.parent.name for folder in root.glob("*/__init__.py"))
    if name not in names:
        raise SteerError(
            f"there is no benchmark {name!r}; in a source checkout there are: {', '.join(names) or 'none'}"
        )
    return importlib.import_module(f"benchmarks.{name}").run(data_dir, console)


def training_progress(console: Console) -> Progress:
    """Bars that show the figures of each iteration; tasks need the field `figures`."""
    return Progress(
        TextColumn("  {task.description:<12}"),
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


def _check_preset(kind: type[Task], preset: str) -> None:
    if preset not in kind.presets:
        raise SteerError(f"{kind.name} has no preset {preset!r}; there are {', '.join(kind.presets)}")


def _train_with_progress(task: Task, run: Run, console: Console) -> None:
    if all(run.is_finished(stage, fingerprint(task, stage)) for stage in STAGES):
        console.print(f"{task.title}: trained already ({run.folder})")
        return
    console.print(f"[bold]{task.title}[/]")
    started = time.perf_counter()
    with training_progress(console) as progress:
        bars = {stage: progress.add_task(stage, total=None, start=False, figures="") for stage in STAGES}

        def report(stage: Any, done: int, total: int, figures: dict[str, float]) -> None:
            progress.update(bars[stage], completed=done, total=total, figures=shown_figures(figures))

        def begin(stage: Any) -> None:
            for bar in progress.tasks:
                if bar.started and not bar.finished:  # a stage that stopped early
                    progress.stop_task(bar.id)
            progress.start_task(bars[stage])

        train(task, run, report, begin)
    console.print(f"  done in {time.perf_counter() - started:.0f} s, in {run.folder}")
