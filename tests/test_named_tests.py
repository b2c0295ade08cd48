"""What docs/reliability.md and docs/security.md say to be tested is tested."""

import re

import pytest

from testing.named_tests import RELIABILITY, ROOT, SECURITY, SOAK, faults, missing


@pytest.mark.parametrize("page", [RELIABILITY, SECURITY])
def test_every_test_that_a_page_names_exists(page):
    assert missing(page) == []


def test_every_file_of_tests_that_stands_for_a_fault_exists():
    files = {file for tests in faults().values() for file, _ in tests if (file, "") != SOAK}
    assert [file for file in files if not (ROOT / "tests" / file).is_file()] == []


def test_every_fault_rests_on_a_test_and_memory_alone_on_the_soak():
    assert [fault for fault, tests in faults().items() if not tests] == []
    assert [fault for fault, tests in faults().items() if SOAK in tests] == ["weeks of load"]


def test_what_held_before_is_no_fault_that_was_mended():
    assert not re.search(r"\| held \|", RELIABILITY.read_text(encoding="utf-8"))
