"""A small real task: tell three kinds of sentence apart, with the pretrained encoder."""

from typing import ClassVar

import numpy as np

from core.envs.text_choice import TextChoiceEnv
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.encoder import TextEncoder
from core.rl.supervised import Demonstrations
from core.training.settings import Settings, load_settings
from core.training.task import Task

SENTENCES = {
    0: ["the soup needs salt", "bake the bread for an hour", "fry the onions gently", "a recipe for apple cake",
        "boil two eggs", "serve the curry with rice", "knead the dough twice", "the sauce is too thin",
        "chop the garlic and the parsley", "roast the chicken with lemon", "whisk the cream and sugar",
        "simmer the stew until tender", "a pinch of pepper in the gravy", "spread butter on the toast",
        "grill the fish with herbs", "stir the noodles into the broth"],
    1: ["the striker scored twice", "she won the marathon", "the match ended in a draw", "the coach praised his team",
        "a penalty in the last minute", "he broke the swimming record", "the goalkeeper is hurt", "extra time begins",
        "the tennis final went to five sets", "the club signed a new defender", "the referee showed a red card",
        "they lost the cup on goal difference", "the sprinter won the gold medal", "a home run in the ninth inning",
        "the league starts in August", "the quarterback threw a long pass"],
    2: ["rain is expected tonight", "a cold front from the north", "sunny spells, light wind", "snow in the hills",
        "the storm will pass by noon", "fog on the motorway", "temperatures fall below zero", "a heatwave this week",
        "thunder and hail in the afternoon", "clouds clear towards the evening", "frost on the ground at dawn",
        "gales along the coast", "a mild and cloudy morning", "showers turn to sleet overnight",
        "humid air from the south", "drizzle followed by sunshine"],
}  # fmt: skip
ROWS = {"train": slice(0, 8), "validation": slice(8, 12), "test": slice(12, 16)}


class Bandit(Task):
    name = "bandit"
    title = "Three kinds of sentence"
    data_card = "Forty-eight sentences."
    presets: ClassVar = {
        "quick": {
            "encoder": {"adapt": "top", "layers": 1},
            "linear": {"iterations": 8, "batch_size": 4, "patience": 8},
            "supervised": {"iterations": 4, "batch_size": 4, "patience": 4},
            "rl": {"iterations": 4, "batch_size": 8, "n_envs": 12, "n_steps": 2},
        }
    }

    def data_fingerprint(self) -> str:
        return "1"

    def policy(self, *, frozen: bool = False) -> ActorCritic:
        encoder = TextEncoder(adapt="frozen" if frozen else self.settings.encoder.adapt, layers=1, precision="fp32")
        return ActorCritic(encoder, ChoiceHead(encoder.width, (3,)))

    def environment(self, split, num_envs=None, *, shuffle=False) -> TextChoiceEnv:
        observations, rewards = self.all_rewards(split)
        return TextChoiceEnv(list(observations["text"]), rewards, num_envs or len(rewards), shuffle=shuffle)

    def demonstrations(self, split) -> Demonstrations:
        observations, rewards = self.all_rewards(split)
        return Demonstrations(observations, (rewards > 0).astype(np.float32))

    def all_rewards(self, split):
        labelled = [(text, label) for label, texts in SENTENCES.items() for text in texts[ROWS[split]]]
        return {"text": tuple(text for text, _ in labelled)}, self.reward_table({})[[label for _, label in labelled]]

    def reward_table(self, states):
        return np.where(np.eye(3) > 0, 1.0, -1.0).astype(np.float32)


def settings(*overrides: str) -> Settings:
    return load_settings(Bandit.presets["quick"], overrides=overrides)
