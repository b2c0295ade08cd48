"""The small task of three kinds of sentence, whose people begin to talk about music and want it sorted."""

from collections.abc import Sequence

import torch

from core.platform.store.decisions import DecisionWithFeedback
from core.rl.off_policy import LoggedDecisions
from core.training.settings import Settings, load_settings
from tests.core.bandit import Bandit

OLD_KIND, NEW_KIND = 0, 2
NEW_SENTENCES = [
    "the violin sonata in G minor", "a song with three chords", "the choir sings on Sunday", "tune your guitar first",
    "the band plays a slow waltz", "a drum solo after the chorus", "the orchestra rehearses Mahler", "hum the melody",
    "her voice is a warm alto", "the pianist practised scales", "a jazz trio in the cellar", "the trumpet is too loud",
    "an opera in three acts", "the bass line never stops", "a lullaby for the baby", "they recorded a new album",
]  # fmt: skip


class Wishes(Bandit):
    name = "wishes"

    def feedback_decisions(self, judged: Sequence[DecisionWithFeedback]) -> LoggedDecisions | None:
        return LoggedDecisions(
            {"text": tuple(each.decision.state["text"] for each in judged)},
            torch.tensor([each.decision.action for each in judged]),
            torch.tensor([[each.decision.propensity] for each in judged]).log(),
            torch.tensor([each.value for each in judged]),
        )


def settings(*overrides: str) -> Settings:
    return load_settings(Wishes.presets["quick"], overrides=overrides)
