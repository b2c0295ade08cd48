"""How far a job is: what its process tells the runner, the runner the store, and the store the pages."""

from typing import Self

from pydantic import BaseModel

EVALUATION = "evaluation"


class StageProgress(BaseModel):
    """How far one stage is.

    Attributes:
        name: Name of a stage of the training, or `EVALUATION`.
        done: Number of iterations that are done.
        total: Largest number of iterations; a stage that gets no better ends sooner.
        seconds_left: Longest time that the stage still takes, in seconds; None before its first iteration has ended.
        reward: Reward on the validation split after the last iteration.
        state: Whether it waits, runs, or is done.
    """

    name: str
    done: int = 0
    total: int = 1
    seconds_left: float | None = None
    reward: float | None = None
    state: str = "waits"


class Progress(BaseModel):
    """How far a job is, stage by stage."""

    stages: list[StageProgress] = []

    def started(self, name: str) -> Self:
        """The same with a stage that runs; those before it are done."""
        at = [stage.name for stage in self.stages].index(name)
        states = ["done"] * at + ["runs"] + ["waits"] * (len(self.stages) - at - 1)
        stages = [stage.model_copy(update={"state": s}) for stage, s in zip(self.stages, states, strict=True)]
        return self.model_copy(update={"stages": stages})

    def ended(self) -> Self:
        """The same with every stage done."""
        return self.model_copy(update={"stages": [each.model_copy(update={"state": "done"}) for each in self.stages]})

    def updated(self, name: str, **values: object) -> Self:
        """The same with other values of a stage."""
        stages = [each.model_copy(update=values) if each.name == name else each for each in self.stages]
        return self.model_copy(update={"stages": stages})
