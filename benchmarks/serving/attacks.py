"""The attacks of docs/security.md, as the tests carry them out."""

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

_ERRORS = re.compile(r"schemathesis: .*?(\d+) server errors")


@dataclass(frozen=True)
class Tried:
    """Attacks that were withstood, of all; and answers of the kind 5xx that Schemathesis got."""

    passed: int
    total: int
    server_errors: int


def attacks() -> Tried:
    """Run the tests of `tests/attacks`.

    Raises:
        RuntimeError: they could not be run.
    """
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-s", "tests/attacks", f"--junitxml={report}"]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if not report.is_file():
            raise RuntimeError(done.stdout)
        cases = list(ET.parse(report).iter("testcase"))
    good = [case for case in cases if not {child.tag for child in case} & {"failure", "error", "skipped"}]
    found = _ERRORS.findall(done.stdout)
    if not found:
        raise RuntimeError("Schemathesis did not say what it found:\n" + done.stdout)
    return Tried(len(good), len(cases), sum(map(int, found)))
