"""What computes for the monitor: labels by the policy, and vectors that tell stories apart."""

from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
from scipy.special import softmax

from apps.finance_monitor.data import SENTIMENTS, TOPICS, Sentiment
from apps.finance_monitor.task import FinanceMonitor
from core.data.windows import MARK
from core.models.encoder import TextEncoder
from core.models.rule_head import RulePolicy
from core.training.run import Run, trained_policy

# Of cosines with descriptions, as calibrated on the topics of the shipped validation split.
_TEMPERATURE = 0.07


@dataclass(frozen=True)
class Label:
    """What the policy makes of a headline: what it decides, and how probable that is.

    A decision weighs what mistakes cost, so it may name bad news that are not the likeliest.

    Attributes:
        topic: Topic that was decided on, or that of the user's own which the headline is nearest to.
        sentiment: Sentiment that was decided on.
        probabilities: Calibrated probability that each sentiment is right.
        topic_probability: Calibrated probability that the topic is right.
    """

    topic: str
    sentiment: Sentiment
    probabilities: dict[Sentiment, float]
    topic_probability: float


class NewsEngine:
    """Reads the headlines of many requests at once, by the trained policy.

    Args:
        task: Task as its run was trained.
        run: Run that holds the trained policy.

    Raises:
        SteerError: The run holds none.
    """

    def __init__(self, task: FinanceMonitor, run: Run) -> None:
        policy = trained_policy(task, run).for_serving()
        assert isinstance(policy, RulePolicy)
        self.policy = policy
        self._encoder = TextEncoder.of(task.settings.encoder, frozen=True, max_length=48)
        self._encoder.for_serving()
        self._topics = list(task.news.descriptions)
        self._descriptions = self._encoder.embed(list(task.news.descriptions.values())) if self._topics else None

    def labels(self, requests: list[list[str]]) -> list[list[Label]]:
        """Topic and sentiment of each text of each request."""
        all_texts = list(chain.from_iterable(requests))
        log_probs, beliefs = self.policy.decide({"text": tuple(all_texts)})
        labels = map(_label, log_probs.argmax(-1).tolist(), beliefs.numpy().reshape(-1, len(TOPICS), len(SENTIMENTS)))
        if self._descriptions is not None:
            whole = [text.replace(MARK, "the company") for text in all_texts]
            near = softmax(self._encoder.embed(whole) @ self._descriptions.T / _TEMPERATURE, axis=1)
            labels = map(self._with_topic, labels, near)
        return [list(islice(labels, len(texts))) for texts in requests]

    def vectors(self, requests: list[list[str]]) -> list[np.ndarray]:
        """Unit-length embeddings of the texts of each request, float32 of shape (texts, width)."""
        vectors = self._encoder.embed(list(chain.from_iterable(requests)))
        return np.split(vectors, np.cumsum([len(texts) for texts in requests])[:-1])

    def _with_topic(self, label: Label, near: np.ndarray) -> Label:
        topic = int(near.argmax())
        return replace(label, topic=self._topics[topic], topic_probability=float(near[topic]))


def _label(decided: int, beliefs: np.ndarray) -> Label:
    topic, sentiment = divmod(decided, len(SENTIMENTS))
    probabilities = dict(zip(SENTIMENTS, beliefs.sum(axis=0).tolist(), strict=True))
    return Label(TOPICS[topic], SENTIMENTS[sentiment], probabilities, float(beliefs.sum(axis=1)[topic]))
