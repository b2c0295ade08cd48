"""The packaged encoder trained on public data sets of intents and sentiment, by the warm start of every task.

BANKING77 and its ten messages an intent (Casanueva et al. 2020), CLINC150 with what is out of its scope (Larson et al.
2019), and Financial PhraseBank with half of the annotators agreeing (Malo et al. 2014), divided as `scikit-learn` does.
"""

import csv
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from rich.console import Console
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

from benchmarks.decisions.sets import data_file, phrasebank_lines
from core.envs.text_choice import TextChoiceEnv
from core.evaluation.bootstrap import Estimate, bootstrap, bootstrap_mean
from core.evaluation.figures import figure
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.encoder import TextEncoder
from core.rl.supervised import Demonstrations
from core.training.run import Run, trained_policy
from core.training.settings import load_settings
from core.training.stages import Stage, WarmStart
from core.training.task import Split, Task
from core.training.train import train

OUT_OF_SCOPE = "oos"
SEEDS = (0, 1, 2)
_SHOTS = 10
_FULL = ("encoder.adapt=full", "encoder.max_length=64", "supervised.learning_rate=2e-4", "supervised.batch_size=32")


@dataclass(frozen=True)
class Labelled:
    """Sentences with a label each."""

    texts: Sequence[str]
    labels: Sequence[str]

    def rows(self, rows: Sequence[int] | np.ndarray) -> "Labelled":
        """Some of them."""
        return Labelled([self.texts[row] for row in rows], [self.labels[row] for row in rows])


class Sentences(Task[ActorCritic]):
    """Which label a sentence has.

    Args:
        parts: Sentences of each split.
        overrides: Settings that differ from the defaults.
    """

    name: ClassVar[str] = "sentences"
    title: ClassVar[str] = "Sentences"

    def __init__(self, parts: Mapping[Split, Labelled], overrides: Sequence[str]) -> None:
        super().__init__(load_settings({}, overrides=overrides))
        self.parts = parts
        self.action_labels = sorted({label for part in parts.values() for label in part.labels})

    def policy(self, *, frozen: bool = False) -> ActorCritic:
        encoder = TextEncoder.of(self.settings.encoder, frozen=frozen)
        return ActorCritic(encoder, ChoiceHead(encoder.width, (len(self.action_labels),)))

    def stages(self) -> Sequence[Stage]:
        return (WarmStart(),)

    def environment(self, split: Split, num_envs: int | None = None, *, shuffle: bool = False) -> TextChoiceEnv:
        right = self.demonstrations(split).targets
        return TextChoiceEnv(self.parts[split].texts, right, num_envs or len(right), shuffle=shuffle)

    def demonstrations(self, split: Split) -> Demonstrations:
        part = self.parts[split]
        numbers = [self.action_labels.index(label) for label in part.labels]
        return Demonstrations({"text": tuple(part.texts)}, np.eye(len(self.action_labels), dtype=np.float32)[numbers])


def classification_figures(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """Accuracy and F1 on the test parts; what varies with the seed is a mean of three.

    Raises:
        SteerError: A data set is missing.
    """
    results = _banking(data_dir) | _clinc(data_dir) | _phrasebank(data_dir)
    for key, entry in results.items():
        console.print(f"{key}: {entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]", highlight=False)
    return results


def probabilities(
    train_part: Labelled, validation: Labelled, test: Sequence[Labelled], *overrides: str
) -> tuple[list[np.ndarray], Sequence[str]]:
    """What the fine-tuned encoder makes of each test part, float64 of shape (sentences, labels), and the labels.

    The epoch that is best on the validation part is kept.
    """
    task = Sentences({"train": train_part, "validation": validation}, (*_FULL, *overrides))
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / task.name)
        train(task, run, lambda *_: None, lambda _: None)
        policy = trained_policy(task, run, WarmStart.name)
    assert isinstance(policy, ActorCritic)
    return [
        policy.logits({"text": tuple(part.texts)}).double().exp().cpu().numpy() for part in test
    ], task.action_labels


def _banking(data_dir: Path | None) -> dict[str, dict[str, Any]]:
    known, test = (_csv(data_file(data_dir, "banking77", f"{name}.csv")) for name in ("train", "test"))
    kept, held_out = train_test_split(np.arange(len(known.texts)), test_size=0.1, random_state=0, stratify=known.labels)
    full = _right(*probabilities(known.rows(kept), known.rows(held_out), [test], "supervised.iterations=6"), test)
    few = []
    for seed in SEEDS:
        rows = _few(known.labels, seed)
        # Ten messages leave none to choose an epoch by.
        lasting = ("supervised.iterations=20", "supervised.patience=20", "supervised.load_best_model_at_end=false")
        settings = (*lasting, f"seed={seed}")
        few.append(_right(*probabilities(known.rows(rows), known.rows(rows), [test], *settings), test))
    return {
        "banking77_full": figure(bootstrap_mean(full), target=0.945),
        "banking77_10shot": figure(bootstrap_mean(np.mean(few, axis=0)), target=0.87),
    }


def _clinc(data_dir: Path | None) -> dict[str, dict[str, Any]]:
    content = json.loads(data_file(data_dir, "clinc150", "data_full.json").read_text(encoding="utf-8"))
    parts = {name: Labelled(*zip(*rows, strict=True)) for name, rows in content.items()}
    joined = Labelled(*zip(*(content["train"] + content["oos_train"]), strict=True))
    seen = Labelled(*zip(*(content["val"] + content["oos_val"]), strict=True))
    tests = [parts[name] for name in ("val", "oos_val", "test", "oos_test")]
    (val, oos_val, test, oos_test), labels = probabilities(joined, seen, tests, "supervised.iterations=6")
    inside = np.array(labels) != OUT_OF_SCOPE
    threshold = _threshold(val, oos_val, _right(val, labels, parts["val"], inside), inside)
    right = _right(test, labels, parts["test"], inside) * (_sureness(test, inside) >= threshold)
    return {
        "clinc150_in_scope": figure(bootstrap_mean(right), target=0.965),
        "clinc150_oos_recall": figure(
            bootstrap_mean((_sureness(oos_test, inside) < threshold).astype(float)), target=0.75
        ),
    }


def _phrasebank(data_dir: Path | None) -> dict[str, dict[str, Any]]:
    lines = list(dict.fromkeys(phrasebank_lines(data_dir, "Sentences_50Agree.txt")))
    every = Labelled(*zip(*lines, strict=True))
    rest, test_rows = train_test_split(np.arange(len(lines)), test_size=0.25, random_state=42)
    kept, held_out = train_test_split(rest, test_size=0.1, random_state=0)
    test = every.rows(test_rows)
    (found,), labels = probabilities(every.rows(kept), every.rows(held_out), [test], "supervised.iterations=6")
    said, right = found.argmax(axis=1), np.array([labels.index(label) for label in test.labels])
    score = _f1_interval(said, right)
    return {"fpb50_weighted_f1": figure(score, target=0.885)}


def _f1_interval(said: np.ndarray, right: np.ndarray) -> Estimate:
    def score(rows: np.ndarray) -> np.ndarray:
        each = np.atleast_2d(rows)
        return np.array([f1_score(right[some], said[some], average="weighted") for some in each]).squeeze()

    return bootstrap(score, len(right))


def _right(found: Any, labels: Sequence[str], test: Labelled, among: np.ndarray | None = None) -> np.ndarray:
    """Whether the likeliest label is right, float64 of shape (sentences,)."""
    found = found[0] if isinstance(found, list) else found
    found = found if among is None else np.where(among, found, 0.0)
    return (np.array(labels)[found.argmax(axis=1)] == np.array(test.labels)).astype(float)


def _sureness(found: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Probability of the likeliest label that is in scope."""
    return np.where(inside, found, 0.0).max(axis=1)


def _threshold(val: np.ndarray, oos: np.ndarray, right: np.ndarray, inside: np.ndarray) -> float:
    """The sureness below which a message is out of scope: most of both shares together on the validation part."""
    sure, foreign = _sureness(val, inside), _sureness(oos, inside)
    return float(max(np.unique(foreign), key=lambda at: (right * (sure >= at)).mean() + (foreign < at).mean()))


def _few(labels: Sequence[str], seed: int) -> list[int]:
    """Ten rows of each label."""
    order = np.random.default_rng(seed).permutation(len(labels))
    of_label = {label: [row for row in order if labels[row] == label][:_SHOTS] for label in sorted(set(labels))}
    return [row for rows in of_label.values() for row in rows]


def _csv(file: Path) -> Labelled:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return Labelled([row["text"] for row in rows], [row["category"] for row in rows])
