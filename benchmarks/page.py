"""Writes docs/benchmarks.md and its plots from the figures in benchmarks/results: `python -m benchmarks.page`."""

import json
from pathlib import Path
from typing import Any

from benchmarks.plots import draw

ROOT = Path(__file__).parent.parent
RESULTS, PAGE, PICTURES = ROOT / "benchmarks" / "results", ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "pictures"


def main() -> None:
    """Write the page."""
    sections = [_section(json.loads(file.read_text(encoding="utf-8"))) for file in sorted(RESULTS.glob("*.json"))]
    head = "# Measured figures\n\nMade by `python -m benchmarks.page` from `benchmarks/results`; not edited by hand.\n"
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
        title = f"### {group}\n\n" if group else ""
        parts.append(
            f"{title}{_picture(bench['bench'], group, figures)}{_table(figures)}{_measures(figures)}{_notes(figures)}"
        )
    return "\n".join(parts)


def _picture(bench: str, group: str, figures: dict[str, Any]) -> str:
    """Of scores that one compares with one another, or what the benchmark itself drew; targets stand for themselves."""
    if not group:
        return f"![{bench}](pictures/{bench}.png)\n\n" if (PICTURES / f"{bench}.png").is_file() else ""
    if any(figure["target"] is not None for figure in figures.values()):
        return ""
    name = f"{bench}-{group}.png"
    draw(figures, group, PICTURES / name)
    return f"![{group}](pictures/{name})\n\n"


def _table(figures: dict[str, Any]) -> str:
    targets = any(figure["target"] is not None for figure in figures.values())
    compared = any("before" in figure for figure in figures.values())
    rows = ["| | value | 95 % interval |" + (" before |" if compared else "") + (" target | met |" if targets else "")]
    rows.append("|---|---|---|" + ("---|" if compared else "") + ("---|---|" if targets else ""))
    for name, figure in figures.items():
        interval = f"[{_number(figure['low'])}, {_number(figure['high'])}]"
        before = f" {_number(figure.get('before'))} |" if compared else ""
        target = _target(figure) if targets else ""
        rows.append(f"| {name} | {_number(figure['value'])} | {interval} |{before}{target}")
    return "\n".join([*rows, ""])


def _measures(figures: dict[str, Any]) -> str:
    """The tasks' own measures of each policy."""
    found = {name: figure["measures"] for name, figure in figures.items() if "measures" in figure}
    if not found:
        return ""
    names = list(next(iter(found.values())))
    rows = ["", f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    rows += [f"| {name} | {' | '.join(map(_number, each.values()))} |" for name, each in found.items()]
    return "\n".join([*rows, ""])


def _target(figure: dict[str, Any]) -> str:
    if figure["target"] is None:
        return " | |"
    sign = "≥" if figure["better"] == "higher" else "≤"
    met = "" if figure["met"] is None else "yes" if figure["met"] else "**no**"
    return f" {sign} {figure['target']:g} | {met} |"


def _number(value: float | None) -> str:
    if value is None:
        return "not measured"
    if abs(value) >= 1e4:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.1e}"


def _notes(figures: dict[str, Any]) -> str:
    notes = [f"- {name}: {figure['note']}" for name, figure in figures.items() if figure.get("note")]
    gain = figures.get("rl", {}).get("gain")
    if gain is not None:
        interval = f"{gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
        notes.append(
            f"RL over the best baseline ({gain['over']}), episode by episode: {interval}: **{gain['verdict']}**."
        )
    return "\n".join(["", *notes, ""]) if notes else ""


if __name__ == "__main__":
    main()
