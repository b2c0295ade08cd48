"""What there is to say of a task's workspace: its data, and whether the encoder was made for such texts."""

from dataclasses import dataclass

from core.models.text_fit import TextFit, text_fit
from core.training.settings import load_settings
from core.training.task import Task
from core.training.workspace import WorkspaceReport
from core.util.errors import SteerError


@dataclass(frozen=True)
class Checked:
    """A workspace that has been checked.

    Attributes:
        report: Report of its data.
        encoder: Name of the encoder's weights.
        fit: Fit of the encoder's vocabulary to the texts; None where there are none.
    """

    report: WorkspaceReport
    encoder: str
    fit: TextFit | None


def check_workspace(task: type[Task]) -> Checked:
    """Check the workspace of a task.

    Raises:
        SteerError: The task has none, or one of its tables cannot be read at all.
    """
    if task.preset not in task.presets:
        raise SteerError(f"{task.name} has no preset {task.preset!r}; there are {', '.join(task.presets)}")
    encoder = load_settings(task.presets[task.preset]).encoder.name
    report = task.check()
    return Checked(report, encoder, text_fit(encoder, report.texts) if report.texts else None)
