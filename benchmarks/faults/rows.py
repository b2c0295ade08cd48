"""The faults of docs/reliability.md, and whether the tests that show each of them pass."""

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

PAGE = Path("docs/reliability.md")
_TEST = re.compile(r"`(?:tests/)?([\w/]+\.py)::(\w+)`")


@dataclass(frozen=True)
class Rows:
    """Faults whose every test passes, of all, and the names of the others."""

    mended: int
    total: int
    broken: list[str]


def rows() -> dict[str, list[tuple[str, str]]]:
    """The tests, file and name, of each fault of the page."""
    lines = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return {cells[1].strip(): tests for cells in lines if (tests := _TEST.findall(cells[-2]))}


def mended() -> Rows:
    """Run every fault's tests.

    Raises:
        RuntimeError: They could not be run.
    """
    faults = rows()
    files = sorted({f"tests/{file}" for tests in faults.values() for file, _ in tests})
    names = sorted({name for tests in faults.values() for _, name in tests})
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", *files, "-k", " or ".join(names), f"--junitxml={report}"]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if not report.is_file():
            raise RuntimeError(done.stdout)
        passed, failed = _outcomes(report)
    broken = [fault for fault, tests in faults.items() if any(test not in passed or test in failed for test in tests)]
    return Rows(len(faults) - len(broken), len(faults), broken)


def _outcomes(report: Path) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Tests that passed, and tests of which any case did not."""
    passed, failed = set(), set()
    for case in ET.parse(report).iter("testcase"):
        file = case.get("classname", "").removeprefix("tests.").replace(".", "/") + ".py"
        test = (file, case.get("name", "").partition("[")[0])
        (failed if {child.tag for child in case} & {"failure", "error", "skipped"} else passed).add(test)
    return passed, failed
