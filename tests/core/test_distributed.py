"""Two processes end with the weights of one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

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

folder = Path(sys.argv[1])
train(Bandit(settings(*sys.argv[2:])), Run(folder), quiet, quiet)
folder.with_name(f"process-{processes().process_index}").touch()
"""


def trained(folder: Path, processes: int, *overrides: str, sharded: bool = False) -> dict:
    script = folder / "script.py"
    folder.mkdir()
    script.write_text(SCRIPT)
    # `accelerate launch --cpu` starts several processes under MPI alone; this is PyTorch's own launcher.
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command = [*launch, str(script), str(folder / "run"), *overrides]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    if sharded:
        environment["ACCELERATE_USE_FSDP"] = "true"
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("process-*"))) == processes
    return {stage: load_file(folder / "run" / stage / "model" / "policy.safetensors") for stage in STAGES}


@pytest.mark.parametrize("algorithm", ["ppo", "trpo", "all_action"])
def test_two_processes_end_with_the_weights_of_one_in_shards_or_whole(tmp_path, algorithm):
    # Five rows a batch: the processes' shares differ in size.
    overrides = (f"rl.algorithm={algorithm}", "supervised.batch_size=5", "linear.iterations=2", "linear.patience=2")
    one = trained(tmp_path / "one", 1, *overrides)
    # TRPO needs whole layers.
    for name, sharded in (("two", False), ("shards", True))[: 1 if algorithm == "trpo" else 2]:
        two = trained(tmp_path / name, 2, *overrides, sharded=sharded)
        for stage in STAGES:
            assert one[stage].keys() == two[stage].keys()
            for weight, tensor in one[stage].items():
                assert (tensor - two[stage][weight]).abs().max() < 1e-5, (name, stage, weight)


def test_trpo_in_shards_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(AssertionError, match="leave FSDP out, or take PPO"):
        trained(tmp_path / "shards", 2, "rl.algorithm=trpo", "linear.iterations=2", sharded=True)
