"""How the house is built: rooms, floors and arrows, the files that a request walks through, and its size.

Every figure is measured for the work tree and, by the same code, for revision `BEFORE`, whose value stands beside it.
"""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.house.imports import modules
from benchmarks.house.picture import draw
from benchmarks.house.rooms import House, house
from benchmarks.house.wings import needed_libraries, platform_imports
from benchmarks.revision import BEFORE, ROOT, python_in, source_of
from benchmarks.runs import trained
from core.evaluation.bootstrap import Estimate
from core.evaluation.figures import figure

FILES_PER_WALK, MUTANTS_KILLED, LINES_RATIO = 18, 0.85, 1.0
# What `make mutants` leaves.
MUTANTS = ROOT / "benchmarks" / "mutants.json"
PICTURE = ROOT / "docs" / "pictures" / "house.png"
_BRIEFLY = ("linear.iterations=1", "supervised.iterations=2", "rl.iterations=1", "encoder.layers=2")


def run(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """All figures; no data are needed."""
    del data_dir
    with source_of(BEFORE) as before, tempfile.TemporaryDirectory() as scratch:
        runs = trained(Path(scratch) / "runs", console)
        results = {
            **_structure(house(ROOT), house(before)),
            **_walks(_walks_of(ROOT, "opening", runs), _walks_before(before, Path(scratch) / "before")),
            **_mutants(),
            **_lines(ROOT, before),
            **_learning(ROOT, before),
        }
    draw(house(ROOT), PICTURE)
    for key, entry in results.items():
        console.print(
            f"{key}: {entry['value']}, before {entry.get('before')}; {entry['note']}", highlight=False, soft_wrap=True
        )
    return results


def _structure(now: House, before: House) -> dict[str, dict[str, Any]]:
    """Figures of `core`; those of `core` and `apps` together stand in the notes."""
    results = {}
    core, earlier = _counts(now.part("core")), _counts(before.part("core"))
    for key, whole in _counts(now).items():
        note = f"with the apps {whole}, before {_counts(before)[key]}"
        target = 0 if key == "back_arrows" else None
        results[key] = _exact(core[key], earlier[key], note, target=target)
    back = [f"{above} -> {below}" for above, below in now.back_arrows]
    results["back_arrows"]["note"] += f": {', '.join(back)}" if back else ""
    return results


def _counts(part: House) -> dict[str, int]:
    floors, back_arrows = 1 + max(part.floors.values()), len(part.back_arrows)
    return {"rooms": len(part.rooms), "floors": floors, "arrows": len(part.arrows), "back_arrows": back_arrows}


def _walks(now: Mapping[str, Sequence[str]], before: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    results = {}
    for walk, files in now.items():
        parts = Counter(str(Path(file).parent) for file in files)
        note = ", ".join(f"{count} in {part}" for part, count in sorted(parts.items()))
        entry = _exact(len(files), len(before[walk]), note, target=FILES_PER_WALK)
        results[f"files_per_walk.{walk}"] = entry | {"files": files}
    return results


def _walks_of(tree: Path, opening: str, runs: Path) -> dict[str, list[str]]:
    return json.loads(python_in(tree, "-m", "benchmarks.house.walks", f"benchmarks.house.{opening}", str(runs)))


def _walks_before(tree: Path, runs: Path) -> dict[str, list[str]]:
    """The same walks through the earlier house, with policies of its own, shortly trained."""
    settings = [part for setting in _BRIEFLY for part in ("--set", setting)]
    python_in(tree, "-m", "core", "train", "all", "--runs", str(runs), *settings)
    # Without this file, which knows today's core.
    shutil.copytree(Path(__file__).parent, tree / "benchmarks" / "house", ignore=shutil.ignore_patterns("__init__.py"))
    return _walks_of(tree, "opening_before", runs)


def _mutants() -> dict[str, dict[str, Any]]:
    """Share of the mutants that the tests kill, as `make mutants` counted them."""
    if not MUTANTS.is_file():
        unknown = {"value": None, "low": None, "high": None, "met": None, "note": "not measured: run `make mutants`"}
        return {"mutants_killed": figure(Estimate(0, 0, 0), target=MUTANTS_KILLED) | unknown}
    counted = json.loads(MUTANTS.read_text(encoding="utf-8"))
    share = counted["killed"] / counted["total"]
    note = f"{counted['killed']} of {counted['total']}"
    return {"mutants_killed": figure(Estimate(share, share, share), target=MUTANTS_KILLED) | {"note": note}}


def _lines(now: Path, before: Path) -> dict[str, dict[str, Any]]:
    lines, earlier = _line_count(now), _line_count(before)
    note = f"{lines} lines of Python in core and apps, {earlier} at {BEFORE}"
    return {"production_lines_ratio": _exact(lines / earlier, 1.0, note, target=LINES_RATIO)}


def _line_count(tree: Path) -> int:
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in modules(tree).values())


def _learning(now: Path, before: Path) -> dict[str, dict[str, Any]]:
    """Import statements that read the platform, and libraries of the platform that learning needs."""
    found, earlier = ([*platform_imports(tree), *needed_libraries(tree)] for tree in (now, before))
    note = ", ".join(found) or "no import statement, and it imports without the platform's libraries"
    return {"learning_imports_platform": _exact(len(found), len(earlier), note, target=0)}


def _exact(value: float, before: float, note: str, *, target: float | None = None) -> dict[str, Any]:
    entry = figure(Estimate(value, value, value), better="lower", target=target)
    return entry | {"before": before, "note": note}
