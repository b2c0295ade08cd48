"""How often labels are right, and how honest the probabilities beside them are."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True)
class OptionLabels:
    """What each option says in answer to some questions, such as which sentiment a headline has.

    Attributes:
        by_question: Label that each option of each state stands for, int64 of shape (states, options), by question;
            negative where it stands for none.
        fallback: Option that is right where none stands for the right label; None where there is always one.
    """

    by_question: Mapping[str, np.ndarray]
    fallback: int | None = None


@dataclass(frozen=True)
class LabelScores:
    """How often a policy's labels are right.

    Attributes:
        accuracy: Share of the states whose label is right.
        macro_f1: Mean over the labels of the harmonic mean of precision and recall.
    """

    accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error of the beliefs that a policy states, before and after a temperature was fitted."""

    before: float
    after: float


def label_scores(said: np.ndarray, right: np.ndarray) -> LabelScores:
    """Accuracy and macro F1 over the labels that are right somewhere.

    Args:
        said: Label that was given to each state, int64 of shape (states,); one that is never right counts as a miss.
        right: Label of each state, int64 of shape (states,).
    """
    from sklearn.metrics import f1_score  # a second to import, and most who import this measure nothing

    macro = f1_score(right, said, labels=np.unique(right), average="macro", zero_division=0.0)
    return LabelScores(float((said == right).mean()), float(macro))


def expected_calibration_error(probabilities: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Mean gap between how sure the likeliest label is and how often it is right, over bins of equal width.

    Guo et al. 2017, equation 3; each bin counts by its states.

    Args:
        probabilities: Probability of each label, float of shape (states, labels).
        right: Label of each state, int64 of shape (states,).
        bins: Number of bins.
    """
    sure, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == right
    of_bin = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(of_bin, weights=sure - hits, minlength=bins)
    return float(np.abs(gaps).sum() / len(right))


def label_probabilities(options: np.ndarray, said: np.ndarray, labels: int) -> np.ndarray:
    """Probability of each label, float64 of shape (states, labels), from those of the options that stand for it.

    Args:
        options: Probability of each option, float of shape (states, options).
        said: Label that each option stands for, int64 of shape (states, options); negative for none.
        labels: Number of labels.
    """
    summed = np.zeros((len(options), labels))
    rows, columns = np.nonzero(said >= 0)
    np.add.at(summed, (rows, said[rows, columns]), options[rows, columns])
    return summed


def option_probabilities(labels: Mapping[str, np.ndarray], options: OptionLabels) -> np.ndarray:
    """Probability that each option is right, float64 of shape (states, options), from those of its labels.

    Questions are taken for independent, and options that say the same are right together: each gets its share.

    Args:
        labels: Probability of each label, float of shape (states, labels), by question.
        options: Meaning of each option.
    """
    chances = np.ones(next(iter(options.by_question.values())).shape)
    for question, said in options.by_question.items():
        chances *= np.where(said >= 0, np.take_along_axis(labels[question], said.clip(0), axis=1), 0.0)
    same = np.all([said[:, :, None] == said[:, None, :] for said in options.by_question.values()], axis=0)
    chances /= same.sum(axis=2)
    if options.fallback is not None:
        chances[:, options.fallback] += (1.0 - chances.sum(axis=1)).clip(0.0)
    return chances
