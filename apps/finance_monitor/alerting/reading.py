"""How headlines are read in streams: by the labeller that serves, just as badly as it reads what is new to it."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit

from apps.finance_monitor.alerting.streams import Reading
from apps.finance_monitor.data import News
from apps.finance_monitor.model import NewsModel

_SURE = 1e-4


class AsServed:
    """Reads each headline as the model does.

    Args:
        model: Model that serves.
    """

    def __init__(self, model: NewsModel) -> None:
        self.model = model

    def __call__(self, items: Sequence[News], chance: np.random.Generator) -> list[Reading]:
        del chance
        labels = self.model.labels([(item.company, item.headline) for item in items])
        return [Reading(label.topic, label.probabilities["negative"]) for label in labels]


class AsHeldOut:
    """Reads headlines that the model was trained on as if it had not been: each as some other that is labelled alike.

    The model changes with each retraining, so each stream is read by one that is a little surer or less sure, and
    quicker or slower to call news bad.

    Args:
        model: Model that serves.
        held_out: Labelled news that it was not trained on.
    """

    def __init__(self, model: NewsModel, held_out: Sequence[News]) -> None:
        self.alike: defaultdict[str, list[Reading]] = defaultdict(list)
        for item, reading in zip(held_out, AsServed(model)(held_out, np.random.default_rng()), strict=True):
            for label in (item.label, item.sentiment):
                self.alike[label].append(reading)

    def __call__(self, items: Sequence[News], chance: np.random.Generator) -> list[Reading]:
        sureness, shift = chance.uniform(0.8, 1.2), chance.uniform(-0.5, 0.5)
        readings: dict[str, Reading] = {}
        for item in items:
            story = item.id.partition("~")[0]  # copies of a story are read alike
            if story not in readings:
                alike = self.alike.get(item.label) or self.alike[item.sentiment]
                donor = alike[int(chance.integers(len(alike)))]
                score = logit(np.clip(donor.negative, _SURE, 1 - _SURE))
                readings[story] = Reading(donor.topic, float(expit(sureness * score + shift)))
        return [readings[item.id.partition("~")[0]] for item in items]
