"""BANKING77 as a decision: one of 77 intents, or hand over; right +1, wrong -1, handed over 0."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from core.envs.text_choice import TextChoiceEnv, with_abstain
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.encoder import TextEncoder
from core.models.settings import EncoderSettings
from core.rl.supervised import Demonstrations, SupervisedSettings
from core.training.settings import AlgorithmSettings, load_settings
from core.util.errors import SteerError

INTENTS, HAND_OVER = 77, 77
VALIDATION = 1000
SUPERVISED_RATES = {"batch_size": 32, "learning_rate": 2e-4, "head_learning_rate": 5e-3}


@dataclass(frozen=True)
class Questions:
    """Texts with the number of their intent."""

    texts: tuple[str, ...]
    intents: np.ndarray

    def take(self, rows: np.ndarray) -> "Questions":
        """Some of them."""
        return Questions(tuple(self.texts[row] for row in rows), self.intents[rows])

    def a_class(self, count: int, seed: int) -> "Questions":
        """At most `count` of each intent."""
        generator, chosen = np.random.default_rng(seed), defaultdict(list)
        for row in generator.permutation(len(self.texts)):
            if len(chosen[self.intents[row]]) < count:
                chosen[self.intents[row]].append(row)
        return self.take(np.sort(np.concatenate([np.array(rows) for rows in chosen.values()])))

    def without(self, others: "Questions") -> "Questions":
        """Those whose text is none of the others'."""
        taken = set(others.texts)
        return self.take(np.array([row for row, text in enumerate(self.texts) if text not in taken]))

    def rewards(self, wrong: float = -1.0, handed_over: float = 0.0) -> np.ndarray:
        """Of each action, float32 of shape (questions, 78)."""
        right = np.arange(INTENTS) == self.intents[:, None]
        return with_abstain(np.where(right, 1.0, wrong).astype(np.float32), handed_over)

    def environment(self, num_envs: int, rewards: np.ndarray | None = None) -> TextChoiceEnv:
        """Shuffled environment over them."""
        return TextChoiceEnv(list(self.texts), self.rewards() if rewards is None else rewards, num_envs, shuffle=True)

    def demonstrations(self, hesitation: float = 0.0) -> Demonstrations:
        """Texts with their right action, and a share of `hesitation` for handing over."""
        targets = (self.rewards() > 0).astype(np.float32) * np.float32(1 - hesitation)
        targets[:, HAND_OVER] = hesitation
        return Demonstrations({"text": self.texts}, targets)


def load(data_dir: Path | None) -> tuple[Questions, Questions, Questions]:
    """Train, validation (the same thousand each time) and test.

    Raises:
        SteerError: the folder is not given, or lacks banking77.
    """
    if data_dir is None or not (data_dir / "banking77" / "train.csv").is_file():
        raise SteerError("name a folder that holds banking77/train.csv and test.csv with --data-dir or STEER_DATA_DIR")
    tables = [pd.read_csv(data_dir / "banking77" / f"{split}.csv") for split in ("train", "test")]
    numbers = {name: number for number, name in enumerate(sorted(tables[0]["category"].unique()))}
    train, test = (
        Questions(tuple(table["text"].astype(str)), table["category"].map(numbers).to_numpy()) for table in tables
    )
    order = np.random.default_rng(77).permutation(len(train.texts))
    return train.take(order[VALIDATION:]), train.take(order[:VALIDATION]), test


def policy(seed: int, adapt: str = "top", layers: int = 2) -> ActorCritic:
    """A fresh policy on the pretrained encoder."""
    torch.manual_seed(seed)
    encoder = TextEncoder.of(EncoderSettings(adapt=adapt, layers=layers, max_length=64))
    return ActorCritic(encoder, ChoiceHead(encoder.width, (INTENTS + 1,)))


def supervised_settings(epochs: int) -> SupervisedSettings:
    """Of the warm start and of the supervised baseline."""
    return SupervisedSettings.model_validate({"iterations": epochs, **SUPERVISED_RATES})


def rl_settings(algorithm: str, **changes: object) -> AlgorithmSettings:
    """What the RL runs share, as far as the algorithm has it, with changes."""
    shared = {
        "batch_size": 64,
        "learning_rate": 1e-4,
        "head_learning_rate": 1e-3,
        "gamma": 0.0,
        "gae_lambda": 1.0,
        "n_envs": 64,
        "n_steps": 4,
        "lr_scheduler_type": "constant",
        "warmup_ratio": 0.0,
    }
    chosen = {"algorithm": algorithm, **changes}
    overrides = [f"rl.{key}={json.dumps(value)}" for key, value in chosen.items()]
    return load_settings({"rl": shared}, overrides=overrides).rl


def mean_reward(trained: ActorCritic, questions: Questions, rewards: np.ndarray | None = None) -> np.ndarray:
    """Reward of the most probable action for each question."""
    actions = trained.predict({"text": questions.texts})[:, 0]
    return (questions.rewards() if rewards is None else rewards)[np.arange(len(actions)), actions]
