"""Learning from feedback without forgetting: off-policy updates on what is new, the old states replayed beside it.

A replayed state holds the policy to what the running version would do there (Li and Hoiem 2017, "Learning without
Forgetting", with states of the old data rather than of the new), by the same KL penalty that every algorithm has. Its
decision carries a reward equal to the baseline, so that it teaches nothing else: the running version was trained on
that data's rewards already, by an algorithm that fits the task.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from core.models.policy import Policy
from core.rl.algorithm import Metrics, Step
from core.rl.off_policy import LoggedDecisions, OffPolicy, OffPolicySettings

# ReplayOffPolicy states to one decision with feedback.
REPLAYED = 4


class ReplayOffPolicy(OffPolicy):
    """Off-policy learning from feedback, with another draw of replayed states in each iteration.

    Args:
        feedback: Decisions to learn from.
        old: Decisions in the states that must not be forgotten; what came of them does not count.
        settings: Settings of the algorithm; `kl_coef` is what holds the old skills.
        reference: Running version, frozen.
    """

    def __init__(
        self, feedback: LoggedDecisions, old: LoggedDecisions, settings: OffPolicySettings, reference: Policy
    ) -> None:
        lessons = best_known(feedback)
        baseline = float(lessons.rewards.mean()) if settings.baseline is None else settings.baseline
        neutral = replace(old, rewards=torch.full_like(old.rewards, baseline))
        super().__init__(lessons + neutral, settings.model_copy(update={"baseline": baseline}), reference)
        self.new = len(feedback)
        self.drawn = min(len(old), REPLAYED * self.new)

    def updates_per_iteration(self) -> int:
        return math.ceil((self.new + self.drawn) / self.settings.batch_size)

    def updates(self, policy: Policy, seed: int, step: Step) -> Iterator[Metrics]:
        generator = np.random.default_rng(seed)
        drawn = self.new + generator.choice(len(self.log) - self.new, self.drawn, replace=False)
        lessons = self.log.rows(np.concatenate([np.arange(self.new), drawn]))
        for batch in lessons.minibatches(policy, self.settings.batch_size, generator):
            yield step(batch)


def best_known(log: LoggedDecisions) -> LoggedDecisions:
    """The log with the best action in the place of the one that was taken, where every action's reward is known.

    It is paid by how much better it is than a random action.
    """
    if log.all_action_rewards is None:
        return log
    rewards = log.all_action_rewards
    best, actions = rewards.max(1, keepdim=True)
    gains = (best - rewards.mean(1, keepdim=True)).squeeze(1)
    return LoggedDecisions(log.observations, actions, torch.zeros(actions.shape), gains)
