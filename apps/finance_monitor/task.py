"""Labelling a headline as a task: topic and sentiment in one decision, under unequal costs."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch

from apps.finance_monitor.check import check_news_data
from apps.finance_monitor.config import NewsConfig
from apps.finance_monitor.data import (
    EXAMPLE,
    LABELS,
    SENTIMENTS,
    TOPICS,
    Company,
    Episode,
    Headline,
    News,
    read_news_data,
)
from apps.finance_monitor.environment import NewsEnv
from apps.finance_monitor.rewards import REWARD
from core.data.splits import halves_of
from core.envs.observations import Column, Observations, count
from core.envs.play import Act
from core.evaluation.labels import OptionLabels
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.encoder import TextEncoder
from core.rl.off_policy import LoggedDecisions
from core.rl.supervised import Demonstrations
from core.training.feedback import DecisionWithFeedback
from core.training.settings import Settings
from core.training.stages import CrossFit, LinearProbe, ResidualRL, Stage, WarmStart
from core.training.task import Split, Task
from core.training.workspace import Workspace, WorkspaceReport, read_workspace


class FinanceMonitor(Task):
    """Topic and sentiment of a headline for one company."""

    name: ClassVar[str] = "finance_monitor"
    title: ClassVar[str] = "Finance monitor"
    config: ClassVar = NewsConfig
    workspace: ClassVar[Workspace[NewsConfig]] = read_workspace(EXAMPLE, NewsConfig)
    template: ClassVar = EXAMPLE.with_name("template")
    tables: ClassVar = {"watchlist": Company, "news": News, "headlines": Headline, "episodes": Episode}
    data_card: ClassVar[str] = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    action_labels: ClassVar = LABELS
    presets: ClassVar = {
        "quick": {
            "encoder": {"adapt": "top", "layers": 3, "max_length": 96},
            "supervised": {"iterations": 3, "batch_size": 32, "learning_rate": 1.5e-4, "patience": 3},
            "rl": {
                "algorithm": "all_action",
                "iterations": 8,
                "batch_size": 64,
                "head_learning_rate": 2e-3,
                "weight_decay": 0.1,
                "kl_coef": 0.02,
                "ent_coef": 0.0,
                "patience": 8,
            },
        },
    }

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.reward = REWARD.with_weights(settings.rewards)
        self.table = self.reward.table(None, LABELS, LABELS)
        self.news = read_news_data(self.workspace)

    @classmethod
    def check(cls) -> WorkspaceReport:
        return check_news_data(cls.workspace)

    def data_fingerprint(self) -> str:
        return self.news.fingerprint

    def policy(self, *, frozen: bool = False) -> ActorCritic:
        encoder = TextEncoder.of(self.settings.encoder, frozen=frozen)
        return ActorCritic(encoder, ChoiceHead(encoder.width, (len(TOPICS), len(SENTIMENTS))))

    def stages(self) -> Sequence[Stage]:
        """RL improves on the cost-optimal rule, see `core.models.rule_head`."""
        return LinearProbe(), WarmStart(), CrossFit(), ResidualRL()

    def environment(self, split: Split, num_envs: int | None = None, *, shuffle: bool = False) -> NewsEnv:
        return NewsEnv(self.news, self.news.labelled(split), self.reward, num_envs, shuffle=shuffle)

    def halves(self, column: Column) -> np.ndarray:
        """A headline about two companies is two texts of one half."""
        return halves_of(self._headlines.get(text, text) for text in column)

    @cached_property
    def _headlines(self) -> dict[str, str]:
        """The headline of each training text."""
        return {self.news.text(item.company, item.headline): item.headline for item in self.news.labelled("train")}

    def demonstrations(self, split: Split) -> Demonstrations:
        items = self.news.labelled(split)
        right = [LABELS.index(item.label) for item in items]
        texts = tuple(self.news.text(item.company, item.headline) for item in items)
        return Demonstrations({"text": texts}, np.eye(len(LABELS), dtype=np.float32)[right])

    def labelled_states(self, split: Split) -> tuple[Observations, dict[str, np.ndarray]]:
        known = self.demonstrations(split)
        topic, sentiment = np.divmod(known.targets.argmax(axis=1), len(SENTIMENTS))
        return known.observations, {"sentiment": sentiment, "topic": topic}

    def option_labels(self, states: Observations) -> OptionLabels:
        topic, sentiment = np.divmod(np.tile(np.arange(len(LABELS)), (count(states), 1)), len(SENTIMENTS))
        return OptionLabels({"sentiment": sentiment, "topic": topic})

    def all_rewards(self, split: Split) -> tuple[Observations, np.ndarray]:
        env = self.environment(split)
        return env.states, env.rewards

    def reward_table(self, states: Observations) -> np.ndarray:
        return self.table

    def feedback_decisions(self, judged: Sequence[DecisionWithFeedback]) -> LoggedDecisions | None:
        """See `Task.feedback_decisions`; a right label tells every label's reward."""
        known = [(each.decision, said, right) for each in judged if (said := _said(each)) and (right := _right(each))]
        if not known:
            return None
        actions = torch.tensor([[LABELS.index(said)] for _, said, _ in known])
        every = torch.from_numpy(self.table[[LABELS.index(right) for _, _, right in known]])
        texts = (self.news.text(decision.state["company"], decision.state["headline"]) for decision, _, _ in known)
        return LoggedDecisions(
            {"text": tuple(texts)},
            actions,
            torch.tensor([[decision.propensity] for decision, _, _ in known]).log(),
            every.gather(1, actions).squeeze(1),
            all_action_rewards=every,
        )

    def rules(self) -> dict[str, Act]:
        topic = Counter(item.topic for item in self.news.labelled("train")).most_common(1)[0][0]
        always = LABELS.index(f"{topic}/negative")
        return {"always_negative": lambda states: np.full((count(states), 1), always)}


def _said(judged: DecisionWithFeedback) -> str | None:
    """The label that was shown; before labels had names they were logged by their place in `LABELS`."""
    (action,) = judged.decision.action
    return _known(LABELS[action] if isinstance(action, int) and 0 <= action < len(LABELS) else action)


def _right(judged: DecisionWithFeedback) -> str | None:
    """The label that most people say is right, of several the one that was named last; None where nobody does."""
    named = Counter("{topic}/{sentiment}".format(**said.about) for said in reversed(judged.feedback))
    return _known(named.most_common(1)[0][0]) if named else None


def _known(label: Any) -> str | None:
    return label if label in LABELS else None
