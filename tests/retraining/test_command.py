"""`steer retrain`, as a user types it, and as it is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from core.cli.retrain import interval
from core.platform.store import versions
from core.platform.store.database import open_store, sqlite_url
from core.platform.versions.library import VERSIONS, Library
from core.util.errors import SteerError
from tests.command import Done, steer
from tests.retraining.wishes import Wishes

TASK = "tests/retraining/wishes.py"


def command(runs: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "core", "retrain", TASK, "--runs", str(runs), *arguments]


def retrain(runs: Path, *arguments: str) -> Done:
    return steer("retrain", TASK, "--runs", str(runs), *arguments, STEER_STORE="")


def weights(runs: Path, version: str) -> dict[str, np.ndarray]:
    store = open_store(sqlite_url(runs / "steer.db"))
    with store.reading() as session:
        found = versions.find(session, Wishes.name, version)
    path = Library(store, runs / VERSIONS).path(found)
    store.close()
    return load_file(path / "rl" / "model" / "policy.safetensors")


def test_too_little_feedback_is_nothing_to_do(library, runs, judge_music):
    judge_music(1)
    done = retrain(runs)
    assert done.returncode == 0
    assert (
        "feedback about 16 different decisions since v0001 was made, and --min-decisions is 50; nothing to do"
        in done.stdout
    )
    assert not (runs / "wishes.retrain").exists()


def test_without_drift_there_is_nothing_to_do_on_drift(library, runs, judge_music):
    judge_music(4)
    done = retrain(runs, "--on-drift")
    assert done.returncode == 0
    assert "neither inputs nor outcomes have changed since v0001 was made; nothing to do" in done.stdout


def test_a_retraining_killed_again_and_again_ends_with_the_same_version(library, runs, judge_music, tmp_path_factory):
    judge_music()
    library.store.close()
    other = tmp_path_factory.mktemp("other") / "runs"
    shutil.copytree(runs, other)
    kills = 0
    short = ["--set", "rl.iterations=4", "--set", "rl.warmup_ratio=0", "--set", "rl.kl_coef=8"]
    for iteration in (1, 2):
        process = subprocess.Popen(command(runs, *short), env={**os.environ, "STEER_STORE": ""})
        while process.poll() is None and _iterations(runs) < iteration:
            time.sleep(0.05)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills == 2
    judge_music(1)  # comes too late for this one
    ended, straight = retrain(runs, *short), retrain(other, *short, "--promote")
    assert ended.returncode == straight.returncode == 0, ended.stderr + straight.stderr
    assert "wishes v0002 is registered: `steer models promote wishes v0002` lets it serve" in ended.stdout
    assert "wishes v0002 is registered and serves" in straight.stdout
    ended_with, straight_with = weights(runs, "v0002"), weights(other, "v0002")
    for name, tensor in straight_with.items():  # another process batches frozen vectors otherwise: the last bits differ
        np.testing.assert_allclose(ended_with[name], tensor, atol=1e-4, err_msg=name)


def test_scheduled_it_waits_for_feedback_until_it_is_interrupted(library, runs):
    process = subprocess.Popen(
        command(runs, "--every", "1s"),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "STEER_STORE": ""},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
    )
    for _ in range(2):
        assert "nothing to do" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130
    process.stdout.close()


@pytest.mark.parametrize("text", ["", "24", "h", "0h", "-1h", "1 week", "1h30m"])
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(SteerError, match="30m, 24h or 7d"):
        interval(text)


def test_intervals_are_read():
    assert interval("90s") == timedelta(seconds=90)
    assert interval("7d") == timedelta(days=7)


def _iterations(runs: Path) -> int:
    file = runs / "wishes.retrain" / "rl" / "checkpoint" / "progress.json"
    try:
        return json.loads(file.read_text())["iteration"]
    except (OSError, ValueError):  # it is being replaced
        return 0
