"""The list of attacks in docs/security.md and the tests agree."""

import re
from pathlib import Path

from testing.named_tests import SECURITY, functions

HERE = Path(__file__).parent
LINE = re.compile(r"^\| (\d+) \| .+ \| .+ \| `(\w+\.py)::(\w+)` \|$", re.MULTILINE)


def listed() -> list[tuple[str, ...]]:
    return LINE.findall(SECURITY.read_text(encoding="utf-8"))


def test_every_attack_has_a_test_and_every_test_is_listed_once():
    written = [
        (file.name, name) for file in HERE.glob("test_*.py") if file != Path(__file__) for name in functions(file)
    ]
    assert sorted((file, name) for _, file, name in listed()) == sorted(written)


def test_attacks_are_numbered():
    assert [int(number) for number, *_ in listed()] == list(range(1, len(listed()) + 1))


def test_what_is_tried_elsewhere_is_there():
    for file in re.findall(r"`(tests/\S+\.py)`", SECURITY.read_text(encoding="utf-8")):
        assert (SECURITY.parents[1] / file).is_file()
