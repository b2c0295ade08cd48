"""Whole training runs of the task of labels and costs: in two processes, and killed again and again."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
STAGES = ("linear", "supervised", "rl")
KILLS = 10
LONG = (
    "encoder.precision=fp32",
    "supervised.iterations=25",
    "supervised.patience=25",
    "rl.iterations=30",
    "rl.patience=30",
)
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node")


def own_task(folder: Path) -> Path:
    """The task of docs/own-task/labels-and-costs.md as a file, with its data beside it."""
    page = (ROOT / "docs" / "own-task" / "labels-and-costs.md").read_text(encoding="utf-8")
    for language, name in (("csv", "messages.csv"), ("python", "my_task.py")):
        [block] = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
        (folder / name).write_text(block, encoding="utf-8")
    return folder / "my_task.py"


def weight_differences(folder: Path) -> dict[str, float]:
    """Largest absolute difference of any weight of any stage between one process and two, in float32."""
    one = _weights(folder / "one", 1)
    several = {"ddp": _weights(folder / "ddp", 2), "fsdp": _weights(folder / "fsdp", 2, ACCELERATE_USE_FSDP="true")}
    return {
        name: max(float((tensor - weights[key]).abs().max()) for key, tensor in one.items())
        for name, weights in several.items()
    }


def kills_survived(folder: Path) -> tuple[int, int]:
    """Kill a run at random moments: how often it was killed, and resumed to the end of an undisturbed one.

    Returns:
        Kills, and those survived: all of them if the run ends in the metrics of the undisturbed one, else 0.
    """
    file, moments, kills = own_task(folder), random.Random(0), 0
    _train(file, folder / "undisturbed").wait()
    while kills < KILLS:
        process = _train(file, folder / "killed")
        goal = _iterations(folder / "killed") + moments.randint(1, 5)
        while process.poll() is None and _iterations(folder / "killed") < goal:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.2))
        if process.poll() is not None:
            break  # it came to its end first
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    finished = _train(file, folder / "killed").wait() == 0
    same = finished and _metrics(folder / "killed") == _metrics(folder / "undisturbed")
    return kills, kills if same else 0


def _weights(runs: Path, processes: int, **variables: str) -> dict[str, Any]:
    command = [sys.executable, *LAUNCH, str(processes), "-m", "core"]
    arguments = ["train", str(own_task(runs.parent)), "--runs", str(runs), "--set", "encoder.precision=fp32"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    subprocess.run([*command, *arguments], check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    found = {}
    for stage in STAGES:
        tensors = load_file(runs / "bicycle_shop" / stage / "model" / "policy.safetensors")
        found |= {f"{stage}/{name}": tensor for name, tensor in tensors.items()}
    return found


def _train(file: Path, runs: Path) -> subprocess.Popen[bytes]:
    settings = [part for setting in LONG for part in ("--set", setting)]
    command = [sys.executable, "-m", "core", "train", str(file), "--runs", str(runs), *settings]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


def _iterations(runs: Path) -> int:
    """Iterations of all stages that checkpoints hold."""
    files = (runs / "bicycle_shop").glob("*/checkpoint/progress.json")
    try:
        return sum(json.loads(file.read_text(encoding="utf-8"))["iteration"] for file in files)
    except (OSError, ValueError):  # being replaced just now
        return 0


def _metrics(runs: Path) -> list[list[tuple[float, float]]]:
    """Losses and validation rewards, rounded where two processes may differ in the last bits."""
    histories = [json.loads((runs / "bicycle_shop" / stage / "history.json").read_text()) for stage in STAGES]
    return [[(round(row["loss"], 4), row["validation_reward"]) for row in h["history"]] for h in histories]
