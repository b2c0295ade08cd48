"""The page about one's own task works as it stands, and its task can be tuned."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.training.tune import Range
from core.util.errors import SteerError

PAGE = Path(__file__).parents[2] / "docs" / "own-task.md"


@pytest.fixture(scope="module")
def own_task(tmp_path_factory) -> Path:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    assert len(code.splitlines()) < 100
    file = tmp_path_factory.mktemp("own") / "my_task.py"
    file.write_text(code)
    return file


def steer(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None, done.exception
    return done.output


def test_the_pages_task_is_trained_and_compared(own_task):
    runs = str(own_task.parent / "runs")
    assert "done in" in steer("train", str(own_task), "--runs", runs)
    figures = own_task.parent / "figures.json"
    steer("evaluate", str(own_task), "--runs", runs, "--json", str(figures))
    results = json.loads(figures.read_text())["results"]
    assert set(results) == {f"bicycle_shop.{name}" for name in ("linear", "supervised", "cost_optimal", "rl")}
    assert results["bicycle_shop.rl"]["value"] > 0
    card = (own_task.parent / "runs" / "bicycle_shop" / "README.md").read_text()
    assert "Twenty messages" in card


def test_a_search_goes_on_after_a_kill_and_leaves_settings_that_train(own_task):
    runs = own_task.parent / "searched"
    arguments = ["tune", str(own_task), "--runs", str(runs), "--search", "rl.learning_rate=1e-5..1e-3", "--search"]
    arguments += ["rl.algorithm=ppo|a2c", "--set", "rl.iterations=2", "--set", "rl.n_envs=12"]
    process = subprocess.Popen([sys.executable, "-m", "core", *arguments, "--trials", "6"], stdout=subprocess.DEVNULL)
    while process.poll() is None and len(_ended(runs)) < 2:
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = len(_ended(runs))
    assert 2 <= before < 6
    said = steer(*arguments, "--trials", "6")
    assert f"trial {before}:" in said or f"trial {before + 1}:" in said  # the killed one does not count
    assert len(_ended(runs)) == 6
    folder = runs / "bicycle_shop.tune"
    assert (folder / "history.png").stat().st_size > 1000
    assert (folder / "trial-1" / "supervised").is_symlink()  # trained once, for all trials
    steer(
        "train", str(own_task), "--runs", str(runs), "--config", str(folder / "best.yaml"), "--set", "rl.iterations=1"
    )


def _ended(runs: Path) -> list:
    """Trials that have ended, read past Optuna, which would create the tables at the same time as the search."""
    database = runs / "bicycle_shop.tune" / "study.db"
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("SELECT number FROM trials WHERE state NOT IN ('RUNNING', 'WAITING')").fetchall()
        except sqlite3.OperationalError:  # the file is there before the tables are
            return []


@pytest.mark.parametrize("text", ["rl.kl_coef", "rl.kl_coef=0.1", "rl.kl_coef=0.3..0.1", "rl.kl_coef=low..high"])
def test_what_is_no_range_is_named(text):
    with pytest.raises(SteerError, match="cannot search"):
        Range(text)
