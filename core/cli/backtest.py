"""`steer backtest`: how early, and how rarely for nothing, an app's detectors fire on history that is known."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from core.cli.options import RunsDir, console
from core.util.errors import SteerError
from core.util.paths import runs_dir

if TYPE_CHECKING:
    from collections.abc import Mapping


def backtest(
    name: Annotated[
        str | None, typer.Argument(help="Folder of a workspace, or name of an app; by default all apps that have one.")
    ] = None,
    split: Annotated[str, typer.Option(help="Part of the history: train, validation or test.")] = "test",
    runs: RunsDir = None,
    json: Annotated[Path | None, typer.Option("--json", help="File to write the figures to.")] = None,
) -> None:
    """Play labelled history through a trained app as if it happened: what its detector finds, when, and in vain.

    Of a news monitor, that are the surges under `episodes:` in its steer.yaml, beside simpler detectors.
    """
    from core.data.splits import SPLITS
    from core.platform.apps.spec import installed_apps
    from core.training.loader import load_task, open_task
    from core.training.run import Run
    from core.util.files import write_json

    if split not in SPLITS:
        raise SteerError(f"--split must be one of {', '.join(SPLITS)} (got {split!r})")
    backtests = {spec.name: spec.backtest for spec in installed_apps() if spec.backtest is not None}
    figures = {}
    for each in [name] if name else list(backtests):
        task_class = load_task(each)
        play = backtests.get(task_class.name if task_class.workspace is None else task_class.workspace.config.app)
        if play is None:
            raise SteerError(
                f"{task_class.name} detects nothing that could be played back; {', '.join(backtests)} does"
            )
        run = Run((runs or runs_dir()) / task_class.name)
        figures[task_class.name] = play(open_task(task_class, run), run, split)
        console.print(Text(f"{task_class.title}, {split}"))
        console.print(_table(figures[task_class.name]))
    if json is not None:
        write_json(json, figures)
        console.print(Text(f"figures written to {json}"))


def _table(figures: "Mapping[str, Mapping[str, float | None]]") -> Table:
    keys = list(next(iter(figures.values())))
    table = Table("detector", *(key.replace("_", " ") for key in keys))
    for name, values in figures.items():
        table.add_row(Text(name), *("-" if (value := values[key]) is None else f"{value:.3g}" for key in keys))
    return table
