"""The stages that a task's training is made of: each begins with a policy and names the algorithm that changes it."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from core.envs.observations import Observations
from core.envs.play import play
from core.evaluation.cost_optimal import fit_temperatures
from core.models.actor_critic import ActorCritic
from core.models.policy import Policy
from core.models.rule_head import Correction, RulePolicy
from core.models.two_fold import two_fold
from core.rl.a2c import A2C
from core.rl.algorithm import Algorithm
from core.rl.all_action import AllAction, AllActionSettings
from core.rl.all_pick import AllPick, AllPickSettings
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

TrainedPolicy = Callable[[str], Policy]

ON_POLICY: dict[str, type[OnPolicy]] = {"ppo": PPO, "a2c": A2C, "trpo": TRPO, "reinforce": Reinforce, "grpo": GRPO}


class Stage(ABC):
    """One training of a policy.

    Attributes:
        name: Name of the stage, and of its folder in a run.
        section: Name of its section in the settings.
        label: Name of the stage's policy, for people.
        is_baseline: Whether the policy is compared with the others.
        after: Name of the stage whose policy this one begins with; None for a fresh policy.
    """

    name: ClassVar[str]
    section: ClassVar[str]
    label: ClassVar[str]
    is_baseline: ClassVar[bool] = True
    after: str | None = None

    def fresh_policy(self, task: "Task[PolicyT]") -> "PolicyT":
        """An untrained policy of the shape that this stage trains."""
        return task.policy()

    def begin(self, task: "Task", policy: Policy) -> Policy:
        """The policy that this stage trains, made from that of the stage before; by default it goes on as it is."""
        del task
        return policy

    def end(self, task: "Task", policy: Policy, trained: TrainedPolicy) -> Policy:
        """The policy that is kept, made from the trained one; by default that itself.

        Args:
            task: Task that is trained.
            policy: Policy with the weights that training leaves.
            trained: Function from the name of an earlier stage to its policy.
        """
        del task, trained
        return policy

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

    name = section = "linear"
    label = "frozen encoder + linear head"

    def fresh_policy(self, task: "Task[PolicyT]") -> "PolicyT":
        return task.policy(frozen=True)

    def algorithm(self, task: "Task", policy: Policy) -> Algorithm:
        return _imitation(task, task.settings.linear)


class WarmStart(Stage):
    """Cross-entropy on the demonstrations: the supervised policy that RL begins with."""

    name = section = "supervised"
    label = "supervised fine-tuning"

    def algorithm(self, task: "Task", policy: Policy) -> Algorithm:
        return _imitation(task, task.settings.supervised)


class CrossFit(WarmStart):
    """The warm start of two policies, each on one half of the data: beliefs about each example as if it were new.

    RL learns on these (`core.models.two_fold`): of what supervision knows by heart it is never in doubt, which does not
    tell when to ask back or to abstain.
    """

    name = "crossfit"
    label = "supervised fine-tuning on either half"
    is_baseline = False

    def fresh_policy(self, task: "Task[PolicyT]") -> Any:
        policies = [each for each in (task.policy(), task.policy()) if isinstance(each, ActorCritic)]
        if not policies:
            raise SteerError(f"{task.name} has no policy that chooses, whose beliefs could be cross-fitted")
        return two_fold(policies, lambda column: task.halves(column))  # a method would be copied with its task


@dataclass
class ReinforcementLearning(Stage):
    """RL by the algorithm that the settings name; what the policy was at first is the reference of the KL penalty.

    Attributes:
        after: Name of the stage whose policy is trained further; None trains a fresh policy.
    """

    name: ClassVar[str] = "rl"
    section: ClassVar[str] = "rl"
    label: ClassVar[str] = "reinforcement learning"
    after: str | None = None

    def algorithm(self, task: "Task", policy: Policy) -> Algorithm:
        reference = copy.deepcopy(policy).requires_grad_(False).eval()
        settings = task.settings.rl
        if isinstance(settings, AllActionSettings):
            return AllAction(*task.action_values(), settings, reference)
        if isinstance(settings, AllPickSettings):
            return AllPick(*task.option_rewards(), settings, reference)
        if isinstance(settings, OffPolicySettings):
            return OffPolicy(training_log(task, reference), settings, reference)
        env = task.environment("train", settings.n_envs, shuffle=True)
        if env is None:
            raise SteerError(
                f"{task.name} has no environment, and rl.algorithm={settings.algorithm} has to act in one; "
                "set rl.algorithm=off_policy to learn from logged decisions"
            )
        return ON_POLICY[settings.algorithm](env, settings, reference)


@dataclass
class ResidualRL(ReinforcementLearning):
    """RL of a correction to the best known rule over beliefs (`core.models.rule_head`).

    Attributes:
        after: Name of the supervised stage whose beliefs the correction is learnt on.
        belief: Name of the supervised stage whose beliefs it is served with.
    """

    after: str | None = CrossFit.name
    belief: str = WarmStart.name

    def fresh_policy(self, task: "Task") -> Any:
        return _over_rule(task, task.policy())

    def begin(self, task: "Task", policy: Policy) -> RulePolicy:
        held_out = task.demonstrations("validation")
        if held_out is None or not isinstance(policy, ActorCritic):
            raise SteerError(f"{task.name} has no demonstrations, on which beliefs are calibrated; implement them")
        begun = _over_rule(task, policy)
        log_probs = policy.logits(held_out.observations)
        begun.head.running_temperature.copy_(fit_temperatures(log_probs, held_out, begun.head.factors))
        return begun

    def end(self, task: "Task", policy: Policy, trained: TrainedPolicy) -> Policy:
        """The correction over the beliefs that are served; none where it does not pay there."""
        assert isinstance(policy, RulePolicy)
        served = self.begin(task, trained(self.belief)).to(policy.device)
        env = task.environment("validation")
        assert env is not None  # or there would be no rule
        of_rule = play(env, served.predict, seed=task.settings.seed).returns.mean()
        nothing = copy.deepcopy(served.head.correction.state_dict())
        served.head.correction.load_state_dict(policy.head.correction.state_dict())
        if play(env, served.predict, seed=task.settings.seed).returns.mean() <= of_rule:
            served.head.correction.load_state_dict(nothing)
        return served


def _over_rule(task: "Task", policy: Policy) -> RulePolicy:
    """A policy that decides by the beliefs of another."""
    env = task.environment("validation", 1)
    if env is None or not isinstance(policy, ActorCritic):
        raise SteerError(
            f"{task.name} has no environment, or no policy that chooses, so there is no rule to improve on; "
            "use the stage ReinforcementLearning"
        )

    def rewards(observations: Observations) -> np.ndarray:
        table = task.reward_table(observations)
        if table is None:
            raise SteerError(f"{task.name} has no reward_table, by which a rule could decide; implement it")
        return table

    shown: Any = env.single_observation_space
    width = shown["features"].shape[-1] if "features" in shown.spaces else 0
    return RulePolicy(policy, rewards, Correction(env.options, width))


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
