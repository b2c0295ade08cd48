"""Macro F1 of a whole batch as the reward, under a cap on what is handed over; each decision gets its share."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.rl.task import HAND_OVER, INTENTS, Questions
from core.data.batches import shuffled
from core.models.policy import Policy
from core.rl.algorithm import Algorithm, Metrics
from core.rl.off_policy import LoggedDecisions
from core.rl.settings import RLSettings

CAP = 0.1


class BatchReinforce(Algorithm):
    """REINFORCE whose reward judges all decisions of a batch together.

    Each decision is credited with what the batch would lose if it were handed over instead: the difference reward of
    Wolpert and Tumer (2001), which leaves the joint optimum where it is.
    """

    def __init__(self, questions: Questions, settings: RLSettings) -> None:
        self.questions, self.settings = questions, settings

    def updates_per_iteration(self) -> int:
        return len(self.questions.texts) // self.settings.batch_size

    def batches(self, policy: Policy, seed: int) -> Iterator[Any]:
        lengths = policy.lengths({"text": self.questions.texts})
        for rows in shuffled(lengths, self.settings.batch_size, np.random.default_rng(seed)):
            yield _Rows(rows)

    def loss(self, policy: Policy, batch: Any) -> tuple[Tensor, Metrics]:
        part = self.questions.take(batch.at)
        distribution = policy({"text": part.texts}).distribution
        drawn = torch.multinomial(distribution.probs.detach(), self.settings.group, replacement=True)
        gains = np.stack([difference_rewards(actions.numpy(), part.intents) for actions in drawn.T], axis=1)
        credits = torch.as_tensor(gains / gains.std().clip(1e-8), dtype=torch.float32)
        loss = -(credits * distribution.log_probs.gather(1, drawn)).mean()
        return loss, {"loss": loss.item()}


class _Rows:
    """Numbers of questions."""

    def __init__(self, at: np.ndarray) -> None:
        self.at = at

    def __len__(self) -> int:
        return len(self.at)

    def rows(self, at: np.ndarray) -> "_Rows":
        return _Rows(self.at[at])


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
