"""The faults of docs/reliability.md, and whether the tests that show each of them pass."""

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

PAGE = Path("docs/reliability.md")
# A file without a name stands for all its tests.
_TEST = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")


@dataclass(frozen=True)
class Rows:
    """Faults whose every test passes, of all, and the names of the others."""

    mended: int
    total: int
    broken: list[str]


def rows() -> dict[str, list[tuple[str, str]]]:
    """The tests, file and name, of each fault of the page; `the same` is those of the line above."""
    faults: dict[str, list[tuple[str, str]]] = {}
    tests: list[tuple[str, str]] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and cells[1] != "what goes wrong" and not cells[1].startswith("---"):
            tests = tests if cells[4] == "the same" else _TEST.findall(cells[4])
            faults[cells[1]] = tests
    return faults


def mended() -> Rows:
    """Run every fault's tests.

    Raises:
        RuntimeError: They could not be run.
    """
    faults = rows()
    chosen = sorted(
        {f"tests/{file}::{name}" if name else f"tests/{file}" for tests in faults.values() for file, name in tests}
    )
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", *chosen, f"--junitxml={report}"]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if not report.is_file():
            raise RuntimeError(done.stdout)
        passed, failed = _outcomes(report)
    broken = [fault for fault, tests in faults.items() if any(test not in passed or test in failed for test in tests)]
    return Rows(len(faults) - len(broken), len(faults), broken)


def _outcomes(report: Path) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Tests, and files of tests, of which a case passed, and those of which a case did not."""
    passed, failed = set(), set()
    for case in ET.parse(report).iter("testcase"):
        file = case.get("classname", "").removeprefix("tests.").replace(".", "/") + ".py"
        tests = {(file, case.get("name", "").partition("[")[0]), (file, "")}
        (failed if {child.tag for child in case} & {"failure", "error", "skipped"} else passed).update(tests)
    return passed, failed
