"""Comparisons as a terminal table, as figures, as a plot and as a model card."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from rich.table import Table

from core.evaluation.compare import Comparison, verdict
from core.evaluation.figures import figure
from core.training.run import Run, fingerprint
from core.training.task import Task
from core.util.files import write_json, write_text


def comparison_table(comparison: Comparison, title: str) -> Table:
    """Terminal table: each policy's reward, and RL's gain over it."""
    episodes = len(comparison.played["rl"].returns)
    table = Table(title=f"{title}: mean reward on {episodes} {comparison.split} episodes", title_justify="left")
    table.add_column("policy")
    table.add_column("reward [95 % interval]", justify="right")
    table.add_column("RL's gain over it", justify="right")
    table.add_column("")
    for name, label in comparison.labels.items():
        if name == "rl":
            table.add_row(f"[bold]{label}[/]", f"[bold]{comparison.reward(name)}[/]", "", "")
            continue
        gain = comparison.gain(name)
        colour = {"better": "green", "worse": "red", "no gain": "yellow"}[verdict(gain)]
        table.add_row(label, str(comparison.reward(name)), str(gain), f"[{colour}]{verdict(gain)}[/]")
    return table


def comparison_figures(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Entries `TASK.POLICY` of a figures file; RL's says what it gains over the best baseline."""
    figures = {f"{comparison.task}.{name}": figure(comparison.reward(name)) for name in comparison.played}
    best = comparison.best_baseline()
    gain = comparison.gain(best)
    figures[f"{comparison.task}.rl"]["gain"] = {
        "over": best,
        "value": gain.value,
        "low": gain.low,
        "high": gain.high,
        "verdict": verdict(gain),
    }
    return figures


def save_comparison(task: Task, run: Run, comparison: Comparison) -> None:
    """Leave episodes, figures, plots and the model card in the run folder."""
    comparison.save(episodes_file(run), fingerprint(task))
    write_json(run.folder / "evaluation.json", comparison_figures(comparison))
    plot_rewards(comparison, run.folder / "rewards.png")
    plot_curves(run, run.folder / "curves.png")
    write_text(run.folder / "README.md", model_card(task, comparison))


def episodes_file(run: Run) -> Path:
    """Where `save_comparison` leaves the episodes."""
    return run.folder / "episodes.json"


def plot_rewards(comparison: Comparison, file: Path) -> None:
    """Rewards with their intervals, one line a policy."""
    names = list(comparison.played)
    estimates = [comparison.reward(name) for name in names]
    figure_, axes = plt.subplots(figsize=(7, 0.5 * len(names) + 1.2), layout="constrained")
    for row, (name, e) in enumerate(zip(names, estimates, strict=True)):
        colour = "#c2410c" if name == "rl" else "#475569"
        axes.plot([e.low, e.high], [row, row], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot(e.value, row, "o", color=colour)
    axes.set_yticks(range(len(names)), [comparison.labels[name] for name in names])
    axes.invert_yaxis()
    axes.set_xlabel(f"mean reward on the {comparison.split} split, 95 % interval")
    axes.spines[["top", "right"]].set_visible(False)
    figure_.savefig(file, dpi=130)
    plt.close(figure_)


def plot_curves(run: Run, file: Path) -> None:
    """Validation reward of each stage by iteration."""
    figure_, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for stage, colour in (("linear", "#94a3b8"), ("supervised", "#475569"), ("rl", "#c2410c")):
        history = run.history(stage)  # type: ignore[arg-type]
        iterations = [row["iteration"] for row in history]
        axes.plot(iterations, [row["validation_reward"] for row in history], "o-", label=stage, color=colour, ms=3)
    axes.set_xlabel("iteration")
    axes.set_ylabel("validation reward")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure_.savefig(file, dpi=130)
    plt.close(figure_)


def model_card(task: Task, comparison: Comparison) -> str:
    """Markdown: what the model is for, what it learnt from, what it was measured on."""
    settings = task.settings
    gains = {name: comparison.gain(name) for name in comparison.played if name != "rl"}
    notes = {name: f"{gain} {verdict(gain)}" for name, gain in gains.items()}
    rows = "\n".join(
        f"| {label} | {comparison.reward(name)} | {notes.get(name, '')} |" for name, label in comparison.labels.items()
    )
    outcomes = "\n".join(f"- {name}: {share:.1%}" for name, share in comparison.outcomes("rl").items())
    return f"""# {task.title}

Policy `{task.name}`, fine-tuned by {settings.rl.algorithm.replace("_", "-")} from a supervised warm start.

- encoder: `{settings.encoder.name}`, trained part: {settings.encoder.adapt}
- seed: {settings.seed}; every other setting: `settings.yaml`
- files: `rl/model/policy.safetensors` (trained tensors), `rl/model/encoder` (`save_pretrained` format)

## Measured on the {comparison.split} split ({len(comparison.played["rl"].returns)} episodes)

| policy | mean reward [95 % interval] | RL's gain over it |
|---|---|---|
{rows}

{outcomes}

![rewards](rewards.png)
![validation reward by iteration](curves.png)

## Data

{task.data_card}
"""
