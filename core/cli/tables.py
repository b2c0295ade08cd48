"""Comparisons as terminal tables."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from core.evaluation.comparison import Comparison, verdict

_COLORS = {"better": "green", "worse": "red", "no gain": "yellow"}


def comparison_tables(comparison: Comparison, title: str) -> Iterator[Table]:
    """Each policy's reward and RL's gain over it; then what labels tell, and on a log what propensities alone do."""
    yield _rewards(comparison, title)
    if comparison.label_scores:
        yield _labels(comparison)
    if comparison.measures:
        yield _measures(comparison)
    if comparison.estimates:
        yield _off_policy(comparison)


def _rewards(comparison: Comparison, title: str) -> Table:
    count = len(comparison.played["rl"].returns)
    unit = "logged decisions, doubly robust" if comparison.estimates else "episodes"
    table = Table(title=f"{title}: mean reward on {count} {comparison.split} {unit}", title_justify="left")
    table.add_column("policy")
    table.add_column("reward [95 % interval]", justify="right")
    table.add_column("RL's gain over it", justify="right")
    table.add_column("")
    for name, label in comparison.labels.items():
        if name == "rl":
            table.add_row(label, str(comparison.reward(name)), "", "", style="bold")
            continue
        gain = comparison.gain(name)
        found = Text(verdict(gain), _COLORS[verdict(gain)])
        table.add_row(label, str(comparison.reward(name)), str(gain), found)
    return table


def _labels(comparison: Comparison) -> Table:
    table = Table(title="how often labels are right: accuracy, macro F1", title_justify="left")
    table.add_column("policy")
    questions = list(comparison.label_scores["rl"])
    for question in questions:
        table.add_column(question, justify="right")
    for name, found in comparison.label_scores.items():
        shown = [f"{found[each].accuracy:.3f}, {found[each].macro_f1:.3f}" for each in questions]
        table.add_row(comparison.labels[name], *shown, style="bold" if name == "rl" else None)
    table.caption = "\n".join(
        f"calibration error of the stated {question}: {error.before:.3f}, calibrated {error.after:.3f}"
        for question, error in comparison.calibrations.items()
    )
    return table


def _measures(comparison: Comparison) -> Table:
    table = Table(title="by other measures", title_justify="left")
    table.add_column("policy")
    for name in comparison.measures["rl"]:
        table.add_column(name, justify="right")
    for policy, measures in comparison.measures.items():
        table.add_row(
            comparison.labels[policy],
            *(f"{value:.3f}" for value in measures.values()),
            style="bold" if policy == "rl" else None,
        )
    return table


def _off_policy(comparison: Comparison) -> Table:
    table = Table(title="by inverse propensities alone", title_justify="left")
    table.add_column("policy")
    for heading in ("IPS [95 % interval]", "SNIPS [95 % interval]", "effective sample size"):
        table.add_column(heading, justify="right")
    for name, found in comparison.estimates.items():
        size = f"{found.effective_sample_size:.0f}"
        table.add_row(comparison.labels[name], str(found.ips), str(found.snips), size)
    return table
