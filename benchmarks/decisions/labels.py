"""Labels of the shipped monitor on real headlines that it never saw, and of both apps beside their outsiders."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from apps.finance_monitor.app import app as monitor
from apps.finance_monitor.data import SENTIMENTS
from apps.finance_monitor.engine import Label
from apps.finance_monitor.model import NewsModel, Read
from benchmarks.decisions.sets import data_file, phrasebank_lines
from benchmarks.runs import trained
from core.evaluation.bootstrap import Estimate, bootstrap, bootstrap_mean, paired_gain
from core.evaluation.comparison import Comparison
from core.evaluation.figures import figure
from core.evaluation.labels import expected_calibration_error, label_scores
from core.platform.apps.opening import open_model
from core.training.evaluate import compare
from core.training.loader import load_task, open_task
from core.training.run import Run

_APPS = ("customer_service", "finance_monitor")
_MEASURES = ("accuracy", "macro_f1")
_TARGETS = {
    "fpb": {"accuracy": 0.75, "macro_f1": 0.70},
    "fiqa": {"accuracy": 0.75, "macro_f1": 0.70},
    "finentity": {"accuracy": 0.65},
}
_MOST_ECE = 0.05
_LEAST_ENTITY_GAIN = 0.15


@dataclass(frozen=True)
class Sentences:
    """Sentences about companies with the sentiment that people found in each.

    Attributes:
        read: Company, or an empty text, and the sentence about it.
        right: Number of the right sentiment, int64 of shape (sentences,).
    """

    read: list[Read]
    right: np.ndarray

    def where_moods_differ(self) -> "Sentences":
        """The sentences whose companies people read differently, and not all alike."""
        moods = defaultdict(set)
        for (_, text), right in zip(self.read, self.right, strict=True):
            moods[text].add(right)
        rows = [row for row, (_, text) in enumerate(self.read) if len(moods[text]) > 1]
        return Sentences([self.read[row] for row in rows], self.right[rows])


def label_figures(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """Zero-shot figures of the monitor's sentiment, and the tables of both apps with their outsiders.

    Raises:
        SteerError: A data set is missing.
    """
    data = {"fpb": phrasebank(data_dir), "fiqa": fiqa(data_dir), "finentity": finentity(data_dir)}
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        runs = trained(Path(scratch), console, _APPS, overrides=())
        model = open_model(monitor, Run(runs / monitor.name), apart=False)
        for name, sentences in data.items():
            labels = model.labels(sentences.read)
            decided = np.array([SENTIMENTS.index(label.sentiment) for label in labels])
            results |= _zero_shot(name, _beliefs(labels), decided, sentences.right)
        results |= _entity_gain("", model, data["finentity"].where_moods_differ())
        shipped = [(item.company, item.headline, item.sentiment) for item in model.news.labelled("test")]
        results |= _entity_gain("shipped_", model, _sentences(shipped).where_moods_differ())
        for app in _APPS:
            task_class, run = load_task(app), Run(runs / app)
            results |= _table(compare(open_task(task_class, run), run))
    for key, entry in results.items():
        console.print(f"{key}: {entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]", highlight=False)
    return results


def phrasebank(data_dir: Path | None) -> Sentences:
    """Financial PhraseBank (Malo et al. 2014), the sentences on which all annotators agree."""
    return _sentences([("", *line) for line in phrasebank_lines(data_dir, "Sentences_AllAgree.txt")])


def fiqa(data_dir: Path | None) -> Sentences:
    """Headlines and posts of FiQA 2018, task 1, training and test, by the sign of their score for each target."""
    rows = []
    for kind in ("headline", "post"):
        for split in ("train", "test"):
            file = data_file(data_dir, "fiqa", f"task1_{kind}_ABSA_{split}.json")
            for each in json.loads(file.read_text(encoding="utf-8")).values():
                for about in each["info"]:
                    sign = SENTIMENTS[int(np.sign(float(about["sentiment_score"]))) + 1]
                    rows.append((about["target"], each["sentence"], sign))
    return _sentences(rows)


def finentity(data_dir: Path | None) -> Sentences:
    """Passages of FinEntity (Tang et al. 2023) and what each of their companies was found to be in."""
    passages = json.loads(data_file(data_dir, "finentity", "FinEntity.json").read_text(encoding="utf-8"))
    return _sentences(
        [
            (about["value"], passage["content"], about["label"].lower())
            for passage in passages
            for about in passage["annotations"]
        ]
    )


def _sentences(rows: Sequence[tuple[str, str, str]]) -> Sentences:
    known = [(company, text, SENTIMENTS.index(label)) for company, text, label in rows if label in SENTIMENTS]
    return Sentences([(company, text) for company, text, _ in known], np.array([label for *_, label in known]))


def _zero_shot(name: str, beliefs: np.ndarray, decided: np.ndarray, right: np.ndarray) -> dict[str, dict[str, Any]]:
    """Of the likeliest sentiment, as a page shows it; the decision weighs what mistakes cost, and stands beside it."""
    results = {}
    for kind, said in (("", beliefs.argmax(axis=1)), ("decided_", decided)):
        for measure in _MEASURES:
            found = _interval(partial(_score, measure, said, right), len(right))
            target = None if kind else _TARGETS[name].get(measure)
            results[f"{name}_zero_shot_{kind}{measure}"] = figure(found, target=target)
    error = _interval(lambda rows: expected_calibration_error(beliefs[rows], right[rows]), len(right))
    results[f"{name}_zero_shot_ece"] = figure(error, better="lower")
    return results


def _entity_gain(prefix: str, model: NewsModel, sentences: Sentences) -> dict[str, dict[str, Any]]:
    """Accuracy of one reading for each company over that of one reading for the sentence, where moods differ."""
    whole = [("", text) for _, text in sentences.read]
    by_company, by_sentence = (
        (_beliefs(model.labels(read)).argmax(axis=1) == sentences.right).astype(float)
        for read in (sentences.read, whole)
    )
    gain = paired_gain(by_company, by_sentence)
    return {
        f"{prefix}entity_accuracy": figure(bootstrap_mean(by_company)),
        f"{prefix}entity_gain": figure(gain, target=None if prefix else _LEAST_ENTITY_GAIN),
    }


def _beliefs(labels: Sequence[Label]) -> np.ndarray:
    """Probability of each sentiment, float64 of shape (labels, sentiments)."""
    return np.array([[label.probabilities[each] for each in SENTIMENTS] for label in labels])


def _table(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Each policy's reward and labels, and the error of the beliefs that the page shows."""
    results = comparison.figures()
    for policy, by_question in comparison.label_scores.items():
        for question, found in by_question.items():
            for measure in _MEASURES:
                results[f"{comparison.task}.{policy}_{question}_{measure}"] = figure(_exact(getattr(found, measure)))
    worst = max(comparison.calibrations, key=lambda question: comparison.calibrations[question].after)
    error = comparison.calibrations[worst]
    note = f"of {worst}, {error.before:.3f} before calibration"
    return {
        **results,
        f"ece.{comparison.task}": {**figure(_exact(error.after), better="lower", target=_MOST_ECE), "note": note},
    }


def _score(measure: str, said: np.ndarray, right: np.ndarray, rows: np.ndarray) -> float:
    return getattr(label_scores(said[rows], right[rows]), measure)


def _interval(statistic: Callable[[np.ndarray], float], rows: int) -> Estimate:
    return bootstrap(lambda some: np.array([statistic(each) for each in np.atleast_2d(some)]).squeeze(), rows)


def _exact(value: float) -> Estimate:
    return Estimate(value, value, value)
