"""A policy beside its baselines, on the same episodes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.envs.play import Played
from core.evaluation.bootstrap import Estimate, bootstrap_mean, paired_gain
from core.evaluation.figures import figure
from core.evaluation.labels import Calibration, LabelScores
from core.evaluation.off_policy import OffPolicyEstimates
from core.util.files import write_json


@dataclass
class Comparison:
    """Every policy's episodes on one split.

    Attributes:
        task: Name of the task.
        split: Name of the split that was played.
        played: Episodes by policy: the baselines, then `rl`.
        labels: Name of each policy, for people.
        estimates: Off-policy estimates by policy, where a log took the place of an environment.
        label_scores: Accuracy of the labels of each policy, by policy and question, where there are labels.
        calibrations: Calibration of the beliefs that RL's policy decides by, by question.
        measures: The task's own measures by policy and name; nothing where it has none.
    """

    task: str
    split: str
    played: dict[str, Played]
    labels: dict[str, str]
    estimates: dict[str, OffPolicyEstimates] = field(default_factory=dict)
    label_scores: dict[str, dict[str, LabelScores]] = field(default_factory=dict)
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    measures: dict[str, dict[str, float]] = field(default_factory=dict)

    def reward(self, policy: str) -> Estimate:
        """Mean return with its interval."""
        return bootstrap_mean(self.played[policy].returns)

    def gain(self, baseline: str) -> Estimate:
        """RL's return minus the baseline's, episode by episode."""
        return paired_gain(self.played["rl"].returns, self.played[baseline].returns)

    def best_baseline(self) -> str:
        """The baseline of the highest mean return."""
        return max((name for name in self.played if name != "rl"), key=lambda name: self.reward(name).value)

    def outcomes(self, policy: str) -> dict[str, float]:
        """Share of each outcome that the environment names."""
        names, counts = np.unique(np.array(self.played[policy].outcomes), return_counts=True)
        return {str(name): count / counts.sum() for name, count in zip(names, counts, strict=True) if name}

    def figures(self) -> dict[str, dict[str, Any]]:
        """Entries `TASK.POLICY` of a figures file; RL's says what it gains over the best baseline."""
        entries = {f"{self.task}.{name}": figure(self.reward(name)) for name in self.played}
        for name, estimates in self.estimates.items():
            entries[f"{self.task}.{name}"]["off_policy"] = asdict(estimates)
        for name, by_question in self.label_scores.items():
            entries[f"{self.task}.{name}"]["labels"] = {each: asdict(found) for each, found in by_question.items()}
        entries[f"{self.task}.rl"]["calibration"] = {each: asdict(found) for each, found in self.calibrations.items()}
        for name, measures in self.measures.items():
            entries[f"{self.task}.{name}"]["measures"] = measures
        best = self.best_baseline()
        gain = self.gain(best)
        entries[f"{self.task}.rl"]["gain"] = {"over": best, **asdict(gain), "verdict": verdict(gain)}
        return entries

    def save(self, file: Path, fingerprint: str) -> None:
        """Keep every episode in a JSON file, marked with the run's settings, code and data."""
        content = asdict(self)
        for played in content["played"].values():
            played["returns"], played["steps"] = played["returns"].tolist(), played["steps"].tolist()
        write_json(file, {"fingerprint": fingerprint, "comparison": content})

    @classmethod
    def saved(cls, file: Path, fingerprint: str) -> "Comparison | None":
        """What `save` kept, if it is of the same settings, code and data."""
        if not file.is_file():
            return None
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["fingerprint"] != fingerprint:
            return None
        kept = content["comparison"]
        return cls(
            kept["task"],
            kept["split"],
            {
                name: Played(np.array(played["returns"]), np.array(played["steps"], dtype=np.int64), played["outcomes"])
                for name, played in kept["played"].items()
            },
            kept["labels"],
            {name: _estimates(values) for name, values in kept["estimates"].items()},
            {
                name: {question: LabelScores(**values) for question, values in by_question.items()}
                for name, by_question in kept["label_scores"].items()
            },
            {question: Calibration(**values) for question, values in kept["calibrations"].items()},
            kept.get("measures", {}),  # what an earlier version kept has none
        )


def verdict(gain: Estimate) -> str:
    """What the interval of a gain supports."""
    if gain.low > 0:
        return "better"
    return "worse" if gain.high < 0 else "no gain"


def _estimates(values: Mapping[str, Any]) -> OffPolicyEstimates:
    ips, snips, dr = (Estimate(**values[name]) for name in ("ips", "snips", "dr"))
    return OffPolicyEstimates(ips, snips, dr, values["effective_sample_size"])
