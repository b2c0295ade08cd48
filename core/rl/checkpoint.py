"""Checkpoints: safetensors for numbers, JSON for the rest, written whole or not at all."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.models.devices import gather_full, shard_like
from core.util.errors import SteerError
from core.util.files import recover_folder, replace_folder, write_json


@dataclass
class Progress:
    """How far a stage has come.

    Attributes:
        fingerprint: Hash of settings and data; a checkpoint of another run is refused.
        iteration: Number of iterations done.
        best_iteration: Iteration of the best validation reward so far; 0 before the first iteration.
        best_score: Best validation reward so far.
        history: Metrics of each iteration.
        schedule: State of the learning-rate schedule.
        finished: Whether the stage has ended.
    """

    fingerprint: str
    iteration: int = 0
    best_iteration: int = 0
    best_score: float = float("-inf")
    history: list[dict[str, float]] = field(default_factory=list)
    schedule: dict[str, Any] = field(default_factory=dict)
    finished: bool = False


def write_checkpoint(folder: Path, progress: Progress, tensors: dict[str, dict[str, Tensor]]) -> None:
    """Replace the checkpoint in `folder`; a failure leaves the old one.

    Args:
        folder: Folder of the checkpoint.
        progress: Progress of the stage.
        tensors: Groups of named tensors.

    Raises:
        SteerError: The disk is full.
    """
    with replace_folder(folder) as fresh:
        flat = {
            f"{group}/{name}": t.detach().contiguous() for group, named in tensors.items() for name, t in named.items()
        }
        save_file(flat, fresh / "tensors.safetensors")
        write_json(fresh / "progress.json", asdict(progress))


def read_checkpoint(folder: Path, fingerprint: str) -> tuple[Progress, dict[str, dict[str, Tensor]]] | None:
    """The checkpoint in `folder`, or None where there is none.

    Raises:
        SteerError: It is damaged, or belongs to other settings or data.
    """
    recover_folder(folder)
    if not folder.exists():
        return None
    try:
        progress = Progress(**json.loads((folder / "progress.json").read_text(encoding="utf-8")))
        flat = load_file(folder / "tensors.safetensors")
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise SteerError(
            f"the checkpoint in {folder} is damaged ({error}); delete that folder to start over."
        ) from error
    if progress.fingerprint != fingerprint:
        raise SteerError(
            f"the checkpoint in {folder} was made with other settings or data; "
            "train with --fresh to start over, or restore the old settings."
        )
    tensors: dict[str, dict[str, Tensor]] = {}
    for key, tensor in flat.items():
        group, name = key.split("/", 1)
        tensors.setdefault(group, {})[name] = tensor
    return progress, tensors


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as named tensors."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": gather_full(tensor) for index, slots in state.items() for name, tensor in slots.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        moment = tensor.shape == parameter.shape  # the others are counters
        state.setdefault(int(index), {})[name] = shard_like(tensor, parameter) if moment else tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
