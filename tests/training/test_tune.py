"""The settings of a task of one's own can be searched."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from core.training.tune import Range
from core.util.errors import SteerError
from tests.training.conftest import steer


@pytest.fixture(scope="module")
def own_task(saved) -> Path:
    return saved("labels-and-costs")


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
    warm = [folder / f"trial-{trial}" / "supervised" / "history.json" for trial in (0, 1)]
    assert warm[0].samefile(warm[1])  # trained once, for all trials
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
