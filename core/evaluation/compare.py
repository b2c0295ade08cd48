"""A policy beside its baselines, on the same episodes."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from core.envs.play import Played, play
from core.evaluation.bootstrap import Estimate, bootstrap_mean, paired_gain
from core.training.run import Run, trained_policy
from core.training.task import Split, Task, greedy
from core.util.files import write_json

LABELS = {
    "linear": "frozen encoder + linear head",
    "supervised": "supervised fine-tuning",
    "cost_optimal": "supervised + cost-optimal decision",
    "rl": "reinforcement learning",
}


@dataclass
class Comparison:
    """Every policy's episodes on one split.

    Attributes:
        task: name of the task.
        split: that was played.
        played: by policy: the baselines, then `rl`.
        labels: what each policy is, for people.
    """

    task: str
    split: Split
    played: dict[str, Played]
    labels: dict[str, str] = field(default_factory=dict)

    def reward(self, policy: str) -> Estimate:
        """Mean return with its interval."""
        return bootstrap_mean(self.played[policy].returns)

    def gain(self, baseline: str) -> Estimate:
        """RL's return minus the baseline's, episode by episode."""
        return paired_gain(self.played["rl"].returns, self.played[baseline].returns)

    def best_baseline(self) -> str:
        """The baseline of the highest mean return."""
        return max((name for name in self.played if name != "rl"), key=lambda name: self.reward(name).value)

    def save(self, file: Path, fingerprint: str) -> None:
        """Keep every episode in a JSON file, marked with the run's settings and data."""
        content = asdict(self)
        for played in content["played"].values():
            played["returns"], played["steps"] = played["returns"].tolist(), played["steps"].tolist()
        write_json(file, {"fingerprint": fingerprint, "comparison": content})

    @classmethod
    def saved(cls, file: Path, fingerprint: str) -> "Comparison | None":
        """What `save` kept, if it is of the same settings and data."""
        if not file.is_file():
            return None
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["fingerprint"] != fingerprint:
            return None
        comparison = cls(**content["comparison"])
        for name, played in content["comparison"]["played"].items():
            steps = np.array(played["steps"], dtype=np.int64)
            comparison.played[name] = Played(np.array(played["returns"]), steps, played["outcomes"])
        return comparison

    def outcomes(self, policy: str) -> dict[str, float]:
        """Share of each outcome that the environment names."""
        names, counts = np.unique(np.array(self.played[policy].outcomes), return_counts=True)
        return {str(name): count / counts.sum() for name, count in zip(names, counts, strict=True) if name}


def verdict(gain: Estimate) -> str:
    """What the interval of a gain supports."""
    if gain.low > 0:
        return "better"
    return "worse" if gain.high < 0 else "no gain"


def compare(task: Task, run: Run, split: Split = "test") -> Comparison:
    """Play a split with the task's own rules, the three baselines and the RL policy of `run`."""
    supervised = trained_policy(task, run, "supervised")
    acts = {
        **task.rules(),
        "linear": greedy(trained_policy(task, run, "linear")),
        "supervised": greedy(supervised),
        "cost_optimal": task.cost_optimal(supervised),
        "rl": greedy(trained_policy(task, run, "rl")),
    }
    env = task.environment(split)
    played = {name: play(env, act, seed=task.settings.seed) for name, act in acts.items()}
    labels = {name: LABELS.get(name, name.replace("_", " ")) for name in played}
    return Comparison(task.name, split, played, labels)
