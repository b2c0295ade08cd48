"""Writes docs/benchmarks.md and its plots from the figures in benchmarks/results: `python benchmarks/page.py`."""

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent
RESULTS, PAGE, PICTURES = ROOT / "benchmarks" / "results", ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "pictures"


def main() -> None:
    """Write the page."""
    sections = [_section(json.loads(file.read_text(encoding="utf-8"))) for file in sorted(RESULTS.glob("*.json"))]
    head = "# Measured figures\n\nMade by `python benchmarks/page.py` from `benchmarks/results`; not edited by hand.\n"
    PAGE.write_text("\n".join([head, *sections]), encoding="utf-8")


def _section(bench: dict[str, Any]) -> str:
    groups: dict[str, dict[str, Any]] = {}
    for key, figure in bench["results"].items():
        group, _, name = key.rpartition(".")
        groups.setdefault(group, {})[name] = figure
    machine = ", ".join(f"{key} {value}" for key, value in bench["machine"].items() if value is not None)
    parts = [
        f"## {bench['bench']}\n\n`{bench['command']}`, {bench['seconds']} s, commit {bench['commit']}, {machine}.\n"
    ]
    for group, figures in groups.items():
        picture = f"{bench['bench']}-{group}.png"
        _plot(figures, PICTURES / picture)
        parts.append(f"### {group}\n\n![{group}](pictures/{picture})\n\n{_table(figures)}{_gain(figures)}")
    return "\n".join(parts)


def _table(figures: dict[str, Any]) -> str:
    rows = [f"| {name} | {f['value']:.3f} | [{f['low']:.3f}, {f['high']:.3f}] |" for name, f in figures.items()]
    return "\n".join(["| policy | value | 95 % interval |", "|---|---|---|", *rows, ""])


def _gain(figures: dict[str, Any]) -> str:
    gain = figures.get("rl", {}).get("gain")
    if gain is None:
        return ""
    interval = f"{gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
    return f"\nRL over the best baseline ({gain['over']}), episode by episode: {interval}: **{gain['verdict']}**.\n"


def _plot(figures: dict[str, Any], file: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 0.45 * len(figures) + 0.9), layout="constrained")
    for row, (name, f) in enumerate(figures.items()):
        colour = "#c2410c" if name == "rl" else "#475569"
        axes.plot([f["low"], f["high"]], [row, row], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot(f["value"], row, "o", color=colour)
    axes.set_yticks(range(len(figures)), list(figures))
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
