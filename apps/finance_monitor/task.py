"""Labelling a headline as a task: topic and sentiment in one decision, under unequal costs."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from apps.finance_monitor.data import DATA, NEGATIVE, SENTIMENTS, TOPICS, load_news_data
from apps.finance_monitor.learning import feedback_decisions
from apps.finance_monitor.rewards import joint_table, weights
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations, count
from core.envs.play import Act
from core.envs.text_choice import TextChoiceEnv
from core.models.actor_critic import ActorCritic
from core.models.encoder import TextEncoder
from core.models.heads import ChoiceHead
from core.rl.off_policy import LoggedDecisions
from core.rl.supervised import Demonstrations
from core.training.feedback import DecisionWithFeedback
from core.training.settings import Settings
from core.training.task import Split, Task


class FinanceMonitor(Task):
    """Topic and sentiment of a headline for one company."""

    name: ClassVar[str] = "finance_monitor"
    title: ClassVar[str] = "Finance monitor"
    data_card: ClassVar[str] = (DATA / "README.md").read_text(encoding="utf-8")
    presets: ClassVar = {
        "quick": {
            "encoder": {"adapt": "top", "layers": 3, "max_length": 48},
            "supervised": {"iterations": 3, "batch_size": 32, "learning_rate": 1.5e-4, "patience": 3},
            "rl": {
                "algorithm": "all_action",
                "iterations": 3,
                "batch_size": 32,
                "learning_rate": 5e-5,
                "kl_coef": 0.05,
                "ent_coef": 0.0,
                "dropout": 0.1,
                "patience": 3,
            },
        },
    }

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.table = joint_table(weights(settings.rewards))
        self.newsroom = load_news_data()

    def data_fingerprint(self) -> str:
        return self.newsroom.fingerprint

    def policy(self, *, frozen: bool = False) -> ActorCritic:
        encoder = TextEncoder.of(self.settings.encoder, frozen=frozen)
        return ActorCritic(encoder, ChoiceHead(encoder.width, (len(TOPICS), len(SENTIMENTS))))

    def environment(self, split: Split, num_envs: int | None = None, *, shuffle: bool = False) -> EpisodeEnv:
        observations, rewards = self.all_rewards(split)
        return TextChoiceEnv(list(observations["text"]), rewards, num_envs or len(rewards), shuffle=shuffle)

    def demonstrations(self, split: Split) -> Demonstrations:
        observations, _ = self.all_rewards(split)
        return Demonstrations(observations, np.eye(len(self.table), dtype=np.float32)[self._labels(split)])

    def all_rewards(self, split: Split) -> tuple[Observations, np.ndarray]:
        texts = tuple(self.newsroom.text(item.company, item.headline) for item in self.newsroom.of(split))
        return {"text": texts}, self.table[self._labels(split)]

    def reward_table(self, states: Observations) -> np.ndarray:
        return self.table

    def feedback_decisions(self, judged: Sequence[DecisionWithFeedback]) -> LoggedDecisions | None:
        return feedback_decisions(judged, self.newsroom, self.table)

    def rules(self) -> dict[str, Act]:
        topic = int(np.bincount(self._labels("train") // len(SENTIMENTS)).argmax())
        always = topic * len(SENTIMENTS) + NEGATIVE
        return {"always_negative": lambda states: np.full((count(states), 1), always)}

    def _labels(self, split: Split) -> np.ndarray:
        return np.array(
            [
                TOPICS.index(item.topic) * len(SENTIMENTS) + SENTIMENTS.index(item.sentiment)
                for item in self.newsroom.of(split)
            ]
        )
