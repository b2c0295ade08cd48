"""Rewards of a version, episode by episode, so that another version can be compared with it later."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from core.evaluation.bootstrap import Estimate, bootstrap_mean

MAX_EPISODES = 100_000

SetName = Annotated[str, Field(pattern=r"^[ -~]{1,80}$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Interval(_Record):
    """A mean with its 95 % interval, as JSON keeps it."""

    value: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat

    def __str__(self) -> str:
        return str(Estimate(self.value, self.low, self.high))


class Metrics(_Record):
    """Rewards of a version.

    Attributes:
        reward: Mean return on the task's fixed test set; None where nobody measured it.
        returns: Return of each episode of that set, in its order.
        others: Mean returns on other sets, by their names, such as the newest slice of feedback.
    """

    reward: Interval | None = None
    returns: list[FiniteFloat] = Field(default=[], max_length=MAX_EPISODES)
    others: dict[SetName, Interval] = Field(default={}, max_length=100)

    @classmethod
    def of(cls, returns: np.ndarray, others: Mapping[str, Estimate] | None = None) -> Self:
        """Metrics of a policy that played the test set.

        Args:
            returns: Return of each episode, shape (episodes,).
            others: Mean returns on other sets, by their names.

        Raises:
            ValueError: There is not one episode.
        """
        return cls(
            reward=Interval(**asdict(bootstrap_mean(returns))),
            returns=returns.tolist(),
            others={name: Interval(**asdict(estimate)) for name, estimate in (others or {}).items()},
        )
