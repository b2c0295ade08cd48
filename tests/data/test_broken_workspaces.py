"""`steer check` says in clear words what is wrong with a workspace, whatever it is, and leaves the files alone."""

from functools import partial

import pytest

from testing.broken_workspaces import broken_workspaces, faults, leading_to_a_file
from tests.command import steer

WIDE = partial(steer, COLUMNS="1000")


@pytest.fixture(scope="module")
def feed():
    with leading_to_a_file() as address:
        yield address


@pytest.mark.parametrize("name", broken_workspaces(""))
def test_what_is_wrong_is_told_in_clear_words_and_no_file_is_touched(name, feed, tmp_path):
    assert faults(broken_workspaces(feed)[name], tmp_path / name, WIDE) == []
