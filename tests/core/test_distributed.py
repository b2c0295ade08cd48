"""Two processes end with the weights of one."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.folders import temporary_folder

STAGES = ("linear", "supervised", "rl")
SCRIPT = """
import sys
from pathlib import Path
from core.models.devices import processes
from core.training.run import Run
from core.training.train import train
from tests.core.bandit import Bandit, settings

def quiet(*_):
    pass

folder, algorithms, overrides = Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:]
for algorithm in algorithms:
    train(Bandit(settings(f"rl.algorithm={algorithm}", *overrides)), Run(folder / algorithm), quiet, quiet)
(folder / f"process-{processes().process_index}").touch()
"""
# Five rows a batch: the processes' shares differ in size.
SHORT = ("supervised.batch_size=5", "linear.iterations=2", "linear.patience=2")
ALGORITHMS = ("ppo", "trpo", "all_action")
Weights = dict[str, dict[str, torch.Tensor]]


def trained(folder: Path, processes: int, algorithms: Sequence[str], *, sharded: bool = False) -> dict[str, Weights]:
    """Weights of every stage by algorithm; all are trained by the same processes, which take long to start."""
    script = folder / "script.py"
    script.write_text(SCRIPT)
    # `accelerate launch --cpu` starts several processes under MPI alone; this is PyTorch's own launcher.
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command = [*launch, str(script), str(folder), ",".join(algorithms), *SHORT]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    if sharded:
        environment["ACCELERATE_USE_FSDP"] = "true"
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("process-*"))) == processes
    return {
        algorithm: {stage: load_file(folder / algorithm / stage / "model" / "policy.safetensors") for stage in STAGES}
        for algorithm in algorithms
    }


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> dict[str, Weights]:
    """What one process ends with."""
    with temporary_folder(tmp_path_factory, "one") as folder:
        return trained(folder, 1, ALGORITHMS)


# TRPO needs whole layers.
@pytest.mark.parametrize(("sharded", "algorithms"), [(False, ALGORITHMS), (True, ("ppo", "all_action"))])
def test_two_processes_end_with_the_weights_of_one_in_shards_or_whole(tmp_path, one, sharded, algorithms):
    two = trained(tmp_path, 2, algorithms, sharded=sharded)
    for algorithm in algorithms:
        for stage in STAGES:
            assert one[algorithm][stage].keys() == two[algorithm][stage].keys()
            for weight, tensor in one[algorithm][stage].items():
                assert (tensor - two[algorithm][stage][weight]).abs().max() < 1e-5, (algorithm, stage, weight)


def test_trpo_in_shards_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(AssertionError, match="leave FSDP out, or take PPO"):
        trained(tmp_path, 2, ["trpo"], sharded=True)
