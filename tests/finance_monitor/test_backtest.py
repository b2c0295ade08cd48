"""`steer backtest`: what a desk's own detector would have found in news of its own."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from core.training.loader import load_task
from tests.command import steer
from tests.finance_monitor.news import NOON, surge

HEAD = "app: finance_monitor\nname: desk\nwatchlist: watchlist.csv\n"
KNOWN = "news: own.jsonl\nepisodes: episodes.jsonl\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A desk with news of three weeks, the last of which has a surge."""
    folder = Path(shutil.copytree(load_task("finance_monitor").template, tmp_path / "desk"))
    (folder / "steer.yaml").write_text(HEAD + KNOWN)
    weeks = {split: NOON + timedelta(weeks=at) for at, split in enumerate(("train", "validation", "test"))}
    begin, end = (weeks["test"] + timedelta(days=days) for days in (2, 3))
    rows = [
        {"id": f"{split}{hour}", "time": (start + timedelta(hours=hour)).isoformat(), "company": "northwind",
         "headline": "Northwind opens a shop", "topic": "operations", "sentiment": "neutral", "split": split}
        for split, start in weeks.items() for hour in (0, 150)
    ]  # fmt: skip
    rows += [
        {"id": item.key, "time": item.time.isoformat(), "company": "contoso", "headline": item.headline,
         "topic": "legal", "sentiment": "negative", "split": "test", "episode": "1"}
        for item in surge("Contoso", begin)
    ]  # fmt: skip
    episode = {
        "id": "1", "kind": "surge", "company": "contoso", "title": "Contoso in trouble", "split": "test",
        "start": begin.isoformat(), "end": end.isoformat(),
    }  # fmt: skip
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "episodes.jsonl").write_text(json.dumps(episode))
    return folder


@pytest.fixture
def trained(runs, tmp_path) -> Path:
    """Folder of runs in which the desk has the app's policy: it reads headlines, and has learnt none by heart."""
    shutil.copytree(runs / "finance_monitor", tmp_path / "runs" / "desk")
    return tmp_path / "runs"


def test_a_workspace_is_told_what_its_detector_would_have_found(folder, trained, tmp_path):
    file = tmp_path / "figures.json"
    done = steer("backtest", str(folder), "--runs", str(trained), "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert "learnt detector on stories" in done.stdout
    detectors = json.loads(file.read_text())["desk"]
    everything = detectors["every negative headline"]
    assert (everything["found"], everything["surges"]) == (1, 1)
    assert detectors["learnt detector on stories"]["found"] == 1
    assert everything["delay_headlines"] <= detectors["five negative headlines in 24 h"]["delay_headlines"]


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        (HEAD, (), "desk has no known surges: name labelled `news:` and, under `episodes:`"),
        (HEAD + KNOWN, ("--split", "train"), "no surge of desk is of the split train: train 0, validation 0, test 1"),
        (HEAD + KNOWN, ("--split", "all"), "--split must be one of train, validation, test"),
    ],
)
def test_what_is_missing_is_told_in_one_line(folder, trained, content, options, told):
    (folder / "steer.yaml").write_text(content)
    done = steer("backtest", str(folder), "--runs", str(trained), *options)
    assert done.returncode == 2
    assert told in done.stderr


def test_an_app_without_detectors_is_refused(tmp_path):
    done = steer("backtest", "recommender", "--runs", str(tmp_path))
    assert done.returncode == 2
    assert "recommender detects nothing that could be played back; finance_monitor does" in done.stderr
