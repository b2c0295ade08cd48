"""The stages that a task's training is made of: each begins with a policy and names the algorithm that changes it."""

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from core.models.policy import Policy
from core.rl.a2c import A2C
from core.rl.algorithm import Algorithm
from core.rl.all_action import AllAction, AllActionSettings
from core.rl.grpo import GRPO
from core.rl.off_policy import LoggedDecisions, OffPolicy, OffPolicySettings, log_decisions
from core.rl.on_policy import OnPolicy
from core.rl.ppo import PPO
from core.rl.reinforce import Reinforce
from core.rl.supervised import Supervised, SupervisedSettings
from core.rl.trpo import TRPO
from core.util.errors import SteerError

if TYPE_CHECKING:
    from core.training.task import PolicyT, Task

ON_POLICY: dict[str, type[OnPolicy]] = {"ppo": PPO, "a2c": A2C, "trpo": TRPO, "reinforce": Reinforce, "grpo": GRPO}


class Stage(ABC):
    """One training of a policy.

    Attributes:
        name: Name of the stage: of its folder in a run, and of its section in the settings.
        label: What the stage's policy is, for people.
        after: Name of the stage whose policy this one begins with; None for a fresh policy.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    after: str | None = None

    def fresh_policy(self, task: "Task[PolicyT]") -> "PolicyT":
        """An untrained policy of the shape that this stage trains."""
        return task.policy()

    @abstractmethod
    def algorithm(self, task: "Task", policy: Policy) -> Algorithm:
        """The algorithm that trains the policy.

        Args:
            task: Task that is trained.
            policy: Policy that the stage begins with, on its device.

        Raises:
            SteerError: The task does not have what the algorithm learns from.
        """


class LinearProbe(Stage):
    """Cross-entropy on the demonstrations, with a frozen encoder: what a linear head on good vectors reaches."""

    name = "linear"
    label = "frozen encoder + linear head"

    def fresh_policy(self, task: "Task[PolicyT]") -> "PolicyT":
        return task.policy(frozen=True)

    def algorithm(self, task: "Task", policy: Policy) -> Algorithm:
        return _imitation(task, task.settings.linear)


class WarmStart(Stage):
    """Cross-entropy on the demonstrations: the supervised policy that RL begins with."""

    name = "supervised"
    label = "supervised fine-tuning"

    def algorithm(self, task: "Task", policy: Policy) -> Algorithm:
        return _imitation(task, task.settings.supervised)


@dataclass
class ReinforcementLearning(Stage):
    """RL by the algorithm that the settings name; what the policy was at first is the reference of the KL penalty.

    Attributes:
        after: Name of the stage whose policy is trained further; None trains a fresh policy.
    """

    name: ClassVar[str] = "rl"
    label: ClassVar[str] = "reinforcement learning"
    after: str | None = None

    def algorithm(self, task: "Task", policy: Policy) -> Algorithm:
        reference = copy.deepcopy(policy).requires_grad_(False).eval()
        settings = task.settings.rl
        if isinstance(settings, AllActionSettings):
            return AllAction(*task.action_values(), settings, reference)
        if isinstance(settings, OffPolicySettings):
            return OffPolicy(training_log(task, reference), settings, reference)
        env = task.environment("train", settings.n_envs, shuffle=True)
        if env is None:
            raise SteerError(
                f"{task.name} has no environment, and rl.algorithm={settings.algorithm} has to act in one; "
                "set rl.algorithm=off_policy to learn from logged decisions"
            )
        return ON_POLICY[settings.algorithm](env, settings, reference)


def training_log(task: "Task", policy: Policy) -> LoggedDecisions:
    """The task's log of its training split, or else `rl.n_steps` decisions of `policy` in each environment of it.

    Raises:
        SteerError: The task has neither.
    """
    log = task.logged_decisions("train")
    if log is not None:
        return log
    env = task.environment("train", shuffle=True)
    if env is None:
        raise SteerError(f"{task.name} has nothing to learn from; implement environment or logged_decisions")
    assert isinstance(task.settings.rl, OffPolicySettings)
    return log_decisions(policy, env, n_steps=task.settings.rl.n_steps, seed=task.settings.seed)


def _imitation(task: "Task", settings: SupervisedSettings) -> Algorithm:
    demonstrations = task.demonstrations("train")
    if demonstrations is None:
        raise SteerError(f"{task.name} has no demonstrations to imitate; implement them, or leave that stage out")
    return Supervised(demonstrations, settings)
