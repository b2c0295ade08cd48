"""The model card of a run: what the policy is for, what it learnt from, what it was measured on."""

from core.evaluation.comparison import Comparison, verdict
from core.training.stages import WarmStart
from core.training.task import Task

OFF_POLICY = (
    "Nothing was played: the rewards are doubly robust estimates from the log. Where the effective sample size is "
    "small, the log says little about that policy."
)


def model_card(task: Task, comparison: Comparison) -> str:
    """Markdown of the model card."""
    settings = task.settings
    warm = any(stage.name == WarmStart.name for stage in task.stages())
    begin = "a supervised warm start" if warm else "the pretrained model"
    return f"""# {task.title}

Policy `{task.name}`, trained by {settings.rl.algorithm.replace("_", "-")} from {begin}.

- pretrained model: `{settings.encoder.name}`, trained part: {settings.encoder.adapt}
- seed: {settings.seed}; every other setting: `settings.yaml`
- files: `rl/model/policy.safetensors` (trained tensors); beside it the model in `save_pretrained` format

## Measured on the {comparison.split} split ({len(comparison.played["rl"].returns)} {_unit(comparison)})

{_table(comparison)}

![rewards](rewards.png)
![validation reward by iteration](curves.png)

## Data

{task.data_card}
"""


def _unit(comparison: Comparison) -> str:
    return "logged decisions" if comparison.estimates else "episodes"


def _table(comparison: Comparison) -> str:
    gains = {name: comparison.gain(name) for name in comparison.played if name != "rl"}
    notes = {name: f"{gain} {verdict(gain)}" for name, gain in gains.items()}
    lines = ["| policy | mean reward [95 % interval] | RL's gain over it |", "|---|---|---|"]
    lines += [
        f"| {label} | {comparison.reward(name)} | {notes.get(name, '')} |" for name, label in comparison.labels.items()
    ]
    if comparison.label_scores:
        lines += ["", *_labels(comparison)]
    if comparison.measures:
        names = comparison.measures["rl"]
        lines += ["", f"| policy | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {comparison.labels[name]} | {' | '.join(f'{value:.3f}' for value in found.values())} |"
        for name, found in comparison.measures.items()
    ]
    if comparison.estimates:
        lines += ["", OFF_POLICY, "", "| policy | IPS | SNIPS | effective sample size |", "|---|---|---|---|"]
    lines += [
        f"| {comparison.labels[name]} | {found.ips} | {found.snips} | {found.effective_sample_size:.0f} |"
        for name, found in comparison.estimates.items()
    ]
    return "\n".join([*lines, "", *(f"- {name}: {share:.1%}" for name, share in comparison.outcomes("rl").items())])


def _labels(comparison: Comparison) -> list[str]:
    """How often labels are right: accuracy and macro F1, and how honest the probabilities beside them are."""
    questions = list(comparison.label_scores["rl"])
    lines = [
        "| policy | " + " | ".join(f"{question}: accuracy, macro F1" for question in questions) + " |",
        "|---" * (1 + len(questions)) + "|",
    ]
    for name, found in comparison.label_scores.items():
        shown = [f"{found[each].accuracy:.3f}, {found[each].macro_f1:.3f}" for each in questions]
        lines.append(f"| {comparison.labels[name]} | " + " | ".join(shown) + " |")
    errors = [
        f"- expected calibration error of the stated probabilities, {question}: {error.before:.3f}, "
        f"{error.after:.3f} once calibrated on validation"
        for question, error in comparison.calibrations.items()
    ]
    return [*lines, "", *errors]
