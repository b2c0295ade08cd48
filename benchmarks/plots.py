"""The pictures of docs/benchmarks.md."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

Figures = dict[str, dict[str, Any]]
_QUIET, _STRONG = "#475569", "#c2410c"


def draw(figures: Figures, title: str, file: Path) -> None:
    """Lines where every name is a quantity and a number, as in `batch_64`; else one dot a name."""
    sweeps = [sweep for name in figures if (sweep := re.fullmatch(r"(\w+)_(\d+)", name))]
    cells = {(sweep[1], int(sweep[2])): figures[sweep[0]] for sweep in sweeps}
    figure = _lines(cells, title) if len(cells) == len(figures) else _dots(figures)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def _dots(figures: Figures) -> plt.Figure:
    figure, axes = plt.subplots(figsize=(7, 0.45 * len(figures) + 0.9), layout="constrained")
    for row, (name, f) in enumerate(figures.items()):
        colour = _STRONG if name == "rl" else _QUIET
        axes.plot([f["low"], f["high"]], [row, row], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot(f["value"], row, "o", color=colour)
    axes.set_yticks(range(len(figures)), list(figures))
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _lines(cells: dict[tuple[str, int], dict[str, Any]], title: str) -> plt.Figure:
    sweeps: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for (quantity, number), cell in cells.items():
        sweeps[quantity].append((number, cell))
    size = (3.2 * len(sweeps), 2.8)
    figure, (panels,) = plt.subplots(1, len(sweeps), figsize=size, layout="constrained", sharey=True, squeeze=False)
    for axes, (quantity, points) in zip(panels, sweeps.items(), strict=True):
        numbers = [number for number, _ in points]
        axes.fill_between(numbers, [c["low"] for _, c in points], [c["high"] for _, c in points], color="#fed7aa")
        axes.plot(numbers, [c["value"] for _, c in points], "o-", color=_STRONG)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(numbers, [str(number) for number in numbers], fontsize=7)
        axes.minorticks_off()
        axes.set_xlabel(quantity)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(title.replace("_", " "))
    return figure
