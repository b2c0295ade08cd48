"""The same task learns from a file, a data set of the Hub, or one in memory, and sees when its data change."""

import re
import shutil
from pathlib import Path

import pytest
from datasets import Dataset

from core.training.loader import load_task
from core.training.run import fingerprint
from core.training.settings import load_settings
from tests.data.hub import keep_in_cache
from tests.training.conftest import PAGES

OTHER_DATA = re.findall(r"^(DATA = [^#\n]+)", (PAGES.parent / "own-task.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def shop(saved) -> Path:
    return saved("labels-and-costs")


def opened(file: Path):
    task_class = load_task(str(file))
    return task_class(load_settings(task_class.presets["quick"]))


def with_data(file: Path, line: str) -> Path:
    """The task's file with another line that says where its data are."""
    other = file.with_name(f"other_{abs(hash(line))}.py")
    code, replaced = re.subn(r"^DATA = .*$", line, file.read_text(), flags=re.MULTILINE)
    assert replaced == 1
    other.write_text("import pandas as pd\nfrom datasets import Dataset\n" + code)
    return other


def test_the_page_names_a_folder_a_data_set_of_the_hub_and_one_in_memory():
    assert [line.split(" = ")[1].split("(")[0].strip() for line in OTHER_DATA] == [
        'Path',
        '"acme/bicycle-messages"',
        "Dataset.from_pandas",
    ]  # fmt: skip


@pytest.mark.parametrize("line", OTHER_DATA)
def test_each_line_of_the_page_gives_the_same_task(shop, line, tmp_path, monkeypatch):
    monkeypatch.setenv("STEER_CACHE_DIR", str(tmp_path))
    keep_in_cache("acme/bicycle-messages", shop.with_name("messages.csv"), tmp_path / "datasets")
    (shop.parent / "messages").mkdir(exist_ok=True)
    shutil.copy(shop.with_name("messages.csv"), shop.parent / "messages")
    task, other = opened(shop), opened(with_data(shop, line.strip()))
    assert other.data_fingerprint() == task.data_fingerprint()
    assert other.environment("test").reset()[0] == task.environment("test").reset()[0]
    (states, rewards), (same, equal) = other.all_rewards("train"), task.all_rewards("train")
    assert states == same
    assert rewards.tolist() == equal.tolist()
    assert len(states["text"]) == 18


def test_an_unchanged_table_is_not_trained_again_and_a_changed_one_is(shop):
    before = fingerprint(opened(shop))
    table = shop.with_name("messages.csv")
    table.write_text(table.read_text())  # a new time of the file, the same rows
    assert fingerprint(opened(shop)) == before
    table.write_text(table.read_text().replace("the saddle wobbles", "the saddle shakes"))
    assert fingerprint(opened(shop)) != before


def test_rows_in_memory_are_seen_to_change(shop):
    task = opened(shop)
    before = task.data_fingerprint()
    task.rows = {**task.rows, "train": Dataset.from_dict({"text": ["a"], "label": [0]})}
    assert task.data_fingerprint() != before
