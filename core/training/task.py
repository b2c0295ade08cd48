"""Task: the one thing that an app, or a user, plugs into the core."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.envs.play import Act
from core.evaluation.cost_optimal import fit_temperature, minimum_expected_cost
from core.models.actor_critic import ActorCritic
from core.models.policy import Policy
from core.platform.store.decisions import DecisionWithFeedback
from core.rl.all_action import ActionValues
from core.rl.off_policy import LoggedDecisions, OffPolicySettings, log_decisions
from core.rl.supervised import Demonstrations
from core.training.settings import Settings
from core.util.errors import SteerError

Split = Literal["train", "validation", "test"]


class Task(ABC):
    """Data, environment, reward and policy of one piece of work.

    Subclasses set the class attributes and implement the abstract methods; everything else - training, baselines,
    evaluation, model cards - follows from them.

    Attributes:
        name: of the task, as the command line and run folders spell it.
        title: for people.
        data_card: Markdown that says where the data come from, for the model card.
        presets: settings by preset name; each must have `quick`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    data_card: ClassVar[str] = ""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {}}

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    def data_fingerprint(self) -> str:
        """Changes whenever the data do."""

    @abstractmethod
    def policy(self, *, frozen: bool = False) -> ActorCritic:
        """A fresh policy on the pretrained encoder; `frozen` trains the heads alone."""

    @abstractmethod
    def environment(self, split: Split, num_envs: int | None = None, *, shuffle: bool = False) -> EpisodeEnv:
        """Environment over a split; by default as many side by side as the split has episodes."""

    @abstractmethod
    def demonstrations(self, split: Split) -> Demonstrations:
        """States of a split with what should be done in them, for the supervised warm start."""

    def reward_table(self, states: Observations) -> np.ndarray:
        """Reward of each action when an option is right, for the cost-optimal baseline.

        Returns:
            float32 of shape (options, actions), or (states, options, actions) where it differs from state to state.
        """
        raise SteerError(f"{self.name} has no reward table; implement reward_table or cost_optimal")

    def all_rewards(self, split: Split) -> tuple[Observations, np.ndarray]:
        """States of a one-decision task with the reward of every action, for the exact policy gradient."""
        raise SteerError(f"{self.name} cannot tell the reward of every action; set rl.algorithm=ppo")

    def action_values(self) -> tuple[Observations, ActionValues]:
        """Training states, and what every action in them is worth, for the exact policy gradient.

        The default serves tasks of one decision, where that is the reward whatever the policy.
        """
        observations, rewards = self.all_rewards("train")
        return observations, lambda policy: rewards

    def logged_decisions(self, policy: Policy) -> LoggedDecisions:
        """Logged decisions for off-policy learning.

        The default logs what `policy` does in one pass over the training split, one sampled action a state; an app
        with a log of its own returns that.
        """
        settings = self.settings
        assert isinstance(settings.rl, OffPolicySettings)
        env = self.environment("train", shuffle=True)
        return log_decisions(policy, env, n_steps=settings.rl.n_steps, seed=settings.seed)

    def feedback_decisions(self, judged: Sequence[DecisionWithFeedback]) -> LoggedDecisions | None:
        """What serving decided and people judged, as a log to learn from, on the scale of the task's own reward.

        Args:
            judged: decisions as the app has stored them, oldest first.

        Returns:
            One row for each decision that can still be understood, in the same order (what it was about may be gone);
            None where there is none.
        """
        raise SteerError(f"{self.name} does not learn from feedback; implement feedback_decisions")

    def cost_optimal(self, policy: ActorCritic) -> Act:
        """The best decision rule over a supervised policy's probabilities; its temperature is fitted on validation."""
        held_out = self.demonstrations("validation")
        temperature = fit_temperature(policy.logits(held_out.observations), held_out)
        return lambda states: minimum_expected_cost(policy.logits(states), self.reward_table(states), temperature)

    def rules(self) -> dict[str, Act]:
        """Further baselines of the task's own that need no training, by name."""
        return {}


def greedy(policy: Policy) -> Act:
    """Take the policy's most probable action."""
    return policy.predict
