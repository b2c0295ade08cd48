"""How a task measures a decision rule: by playing its environment, or on its log where it has none."""

from collections.abc import Callable

from core.data.splits import Split
from core.envs.play import Act, Played, play
from core.evaluation.off_policy import LogEvaluator
from core.training.task import Task
from core.util.errors import SteerError

Evaluator = Callable[[Act], Played]


def evaluator(task: Task, split: Split) -> Evaluator:
    """What gives the returns of a decision rule on a split.

    Raises:
        SteerError: The task has neither an environment nor a log of that split.
    """
    env = task.environment(split)
    if env is not None:
        return lambda act: play(env, act, seed=task.settings.seed)
    return log_evaluator(task, split)


def log_evaluator(task: Task, split: Split) -> LogEvaluator:
    """What estimates the returns of a decision rule on the log of a split.

    Raises:
        SteerError: The task has no log of that split.
    """
    log = task.logged_decisions(split)
    if log is None:
        raise SteerError(
            f"{task.name} has neither an environment nor logged decisions of the {split} split; implement one of them"
        )
    return LogEvaluator(log, task.state_vectors(log.observations))
