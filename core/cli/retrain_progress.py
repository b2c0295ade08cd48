"""Progress of a retraining on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from core.cli.workflow import shown_figures, training_progress
from core.platform.retraining.candidate import OnIteration
from core.platform.retraining.job import RetrainingJob
from core.platform.retraining.outcome import Outcome


class ConsoleProgress:
    """Sentences, a progress bar, and a table of what both policies earn.

    Args:
        console: Console to print on.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        """Print a sentence; what people wrote in it is no markup."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def training(self) -> Iterator[OnIteration]:
        """A bar for the time of the training."""
        with training_progress(self._console) as progress:
            bar = progress.add_task("retraining", total=None, figures="")
            yield lambda done, total, metrics: progress.update(
                bar, completed=done, total=total, figures=shown_figures(metrics)
            )

    def measured(self, job: RetrainingJob, outcome: Outcome) -> None:
        """Both policies side by side, with intervals."""
        title = f"{job.task.title}: {job.base.name} and the candidate"
        table = Table("mean reward on", "serving", "candidate", "gain [95 % interval]", title=title)
        serving, candidate = outcome.running.means(), outcome.candidate.means()
        for name, gain in outcome.gains().items():
            table.add_row(name, str(serving[name]), str(candidate[name]), str(gain))
        self._console.print(table)
