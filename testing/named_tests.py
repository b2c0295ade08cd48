"""The tests that pages of the documentation name, and those that there are."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
RELIABILITY, SECURITY = ROOT / "docs" / "reliability.md", ROOT / "docs" / "security.md"
SOAK = ("steer bench soak", "")
"""Stands for the tests of a fault that only a long measurement shows."""

_NAMED = re.compile(r"`(steer bench soak|[\w/]+\.py)(?:::(\w+))?`")


def functions(file: Path) -> list[str]:
    """Names of the tests in a file."""
    names = [
        node.name for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)
    ]
    return [name for name in names if name.startswith("test_")]


def faults() -> dict[str, list[tuple[str, str]]]:
    """The tests, file and name, of each fault that docs/reliability.md calls mended.

    Its tables of four columns hold them. A file without a name stands for all its tests; `the same` is those of the
    line above.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    tests: list[tuple[str, str]] = []
    for line in RELIABILITY.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and cells[1] != "what goes wrong" and not cells[1].startswith("---"):
            tests = tests if cells[4] == "the same" else _NAMED.findall(cells[4])
            found[cells[1]] = tests
    return found


def missing(page: Path) -> list[str]:
    """The tests that a page names by their place below `tests`, and that are not there."""
    named = re.findall(r"`([\w/]+/\w+\.py|test_deployment\.py)::(\w+)`", page.read_text(encoding="utf-8"))
    files = {file: ROOT / "tests" / file for file, _ in named}
    there = {file: functions(path) if path.is_file() else [] for file, path in files.items()}
    return [f"{file}::{name}" for file, name in named if name not in there[file]]
