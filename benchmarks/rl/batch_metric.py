"""Macro F1 of a whole batch as the reward, under a cap on what is handed over; each decision gets its share."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from benchmarks.rl.task import HAND_OVER, INTENTS, Questions
from core.models.policy import Policy
from core.rl.algorithm import Algorithm, Batch, Metrics, Step
from core.rl.off_policy import LoggedDecisions
from core.rl.reinforce import ReinforceSettings

CAP = 0.1


class BatchReinforce(Algorithm):
    """REINFORCE whose reward judges all decisions of a batch together.

    Each decision is credited with what the batch would lose if it were handed over instead: the difference reward of
    Wolpert and Tumer (2001), which leaves the joint optimum where it is.
    """

    def __init__(self, questions: Questions, settings: ReinforceSettings) -> None:
        self.questions, self.settings = questions, settings

    def updates_per_iteration(self) -> int:
        return len(self.questions.texts) // self.settings.batch_size

    def updates(self, policy: Policy, seed: int, step: Step) -> Iterator[Metrics]:
        asked = Asked({"text": self.questions.texts}, torch.as_tensor(self.questions.intents))
        for batch in asked.minibatches(policy, self.settings.batch_size, seed):
            yield step(batch)

    def loss(self, policy: Policy, batch: "Asked") -> tuple[Tensor, Metrics]:
        distribution, intents = policy(batch.observations).distribution, batch.intents.numpy()
        drawn = torch.multinomial(distribution.probs.detach(), self.settings.num_generations, replacement=True)
        gains = np.stack([difference_rewards(actions.numpy(), intents) for actions in drawn.T], axis=1)
        credits = torch.as_tensor(gains / gains.std().clip(1e-8), dtype=torch.float32)
        loss = -(credits * distribution.log_probs.gather(1, drawn)).mean()
        return loss, {"loss": loss.item()}


@dataclass
class Asked(Batch):
    """Questions with the numbers of their intents, int64 of shape (rows,)."""

    intents: Tensor


def capped_macro_f1(actions: np.ndarray, intents: np.ndarray) -> float:
    """Macro F1 over what was answered, minus the share handed over beyond the cap."""
    answered = actions != HAND_OVER
    excess = max(0.0, float(1 - answered.mean()) - CAP)
    if not answered.any():
        return -excess
    given, right = actions[answered], intents[answered]
    hits, answers, support = (
        np.bincount(labels, minlength=INTENTS) for labels in (given[given == right], given, right)
    )
    asked = support > 0
    return float((2 * hits[asked] / (answers + support)[asked]).mean()) - excess


def difference_rewards(actions: np.ndarray, intents: np.ndarray) -> np.ndarray:
    """What `capped_macro_f1` loses if one decision alone is handed over instead; float64 of shape (decisions,)."""
    whole, gains = capped_macro_f1(actions, intents), np.zeros(len(actions))
    for row in np.flatnonzero(actions != HAND_OVER):
        without = actions.copy()
        without[row] = HAND_OVER
        gains[row] = whole - capped_macro_f1(without, intents)
    return gains


def credited(log: LoggedDecisions, questions: Questions, batch: int = 256) -> LoggedDecisions:
    """The log with each decision's share of its batch's metric as its reward."""
    asked = dict(zip(questions.texts, questions.intents, strict=True))
    intents = np.array([asked[text] for text in log.observations["text"]])
    actions, starts = log.actions[:, 0].numpy(), range(0, len(log), batch)
    shares = [difference_rewards(actions[at : at + batch], intents[at : at + batch]) for at in starts]
    return replace(log, rewards=torch.as_tensor(np.concatenate(shares), dtype=torch.float32))
