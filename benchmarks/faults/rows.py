"""The faults of docs/reliability.md, and whether the tests that show each of them pass."""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from testing.named_tests import SOAK, faults


@dataclass(frozen=True)
class Rows:
    """Faults whose every test passes, of all, and the names of the others."""

    mended: int
    total: int
    broken: list[str]


def mended(*, is_soak_met: bool) -> Rows:
    """Run every fault's tests.

    Args:
        is_soak_met: Whether the soak reached its target, on which growth of memory rests.

    Raises:
        RuntimeError: They could not be run.
    """
    rows = faults()
    tests = {test for named in rows.values() for test in named} - {SOAK}
    chosen = sorted(f"tests/{file}::{name}" if name else f"tests/{file}" for file, name in tests)
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", *chosen, f"--junitxml={report}"]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if not report.is_file():
            raise RuntimeError(done.stdout)
        passed, failed = _outcomes(report)
    held = passed - failed | ({SOAK} if is_soak_met else set())
    broken = [fault for fault, named in rows.items() if not held.issuperset(named)]
    return Rows(len(rows) - len(broken), len(rows), broken)


def _outcomes(report: Path) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Tests, and files of tests, of which a case passed, and those of which a case did not."""
    passed, failed = set(), set()
    for case in ET.parse(report).iter("testcase"):
        file = case.get("classname", "").removeprefix("tests.").replace(".", "/") + ".py"
        tests = {(file, case.get("name", "").partition("[")[0]), (file, "")}
        (failed if {child.tag for child in case} & {"failure", "error", "skipped"} else passed).update(tests)
    return passed, failed
