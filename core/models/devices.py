"""Where and how a model computes: device, number format, the processes of a distributed run, and shards.

Under fully sharded data parallel each process keeps a part of every trained layer and of its optimiser's moments; a
layer is put together only while it computes (Rajbhandari et al. 2020, ZeRO stage 3; here PyTorch's `fully_shard`).
What is no transformer layer with trained weights - embeddings, heads, frozen layers - stays whole in every process.
"""

import copy
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather, parse_flag_from_env
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

from core.envs.observations import Observations, count, take
from core.models.hardware import bf16_hardware


def is_bf16(device: torch.device, precision: str = "auto") -> bool:
    """Whether `autocast` computes in bfloat16."""
    return precision == "bf16" or (precision == "auto" and bool(bf16_hardware(device)))


def autocast(device: torch.device, precision: str = "auto") -> torch.autocast:
    """Context in which matrix products run in bfloat16.

    Args:
        device: Device of the model.
        precision: Number format: `auto` (bfloat16 where the hardware has it), `bf16` or `fp32`.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=is_bf16(device, precision))


def hold_as_computed(model: nn.Module, precision: str = "auto") -> None:
    """Keep the matrices of a model that is trained no more in the format in which `autocast` multiplies them.

    The numbers that are multiplied stay the same. What goes is the conversion before every product, which on a CPU
    takes two fifths of the time of a single short text.

    Args:
        model: Model whose every `nn.Linear` is changed.
        precision: Number format, see `autocast`.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear) and is_bf16(module.weight.device, precision):
            module.to(torch.bfloat16)


Compute = Callable[[Observations], tuple[Tensor, ...]]


def on_cpu() -> bool:
    """Whether to compute on the CPU: there is no GPU, or the user says so (as `accelerate launch --cpu` does)."""
    return not torch.cuda.is_available() or parse_flag_from_env("ACCELERATE_USE_CPU")


def processes() -> PartialState:
    """This process's place among those of a distributed run, and its device."""
    return PartialState(cpu=on_cpu())


def is_sharded() -> bool:
    """Whether the processes of this run keep shards of the trained layers (`accelerate launch --use_fsdp` says so)."""
    return parse_flag_from_env("ACCELERATE_USE_FSDP") and processes().num_processes > 1


def split_across_processes(compute: Compute, observations: Observations) -> tuple[Tensor, ...]:
    """What `compute` says of all states, where each process computes an equal share and all get everything.

    Layers in shards are put together by all processes at once, so then every process computes everything.

    Args:
        compute: Function from states to tensors whose first axis counts the states; the other axes are equal in all
            processes.
        observations: States, equal in all processes.
    """
    world = processes()
    if world.num_processes == 1 or is_sharded():
        return compute(observations)
    rows = count(observations)
    share = -(-rows // world.num_processes)
    mine = np.arange(world.process_index * share, (world.process_index + 1) * share).clip(max=rows - 1)
    parts = compute(take(observations, mine))
    return tuple(gather(part.to(world.device)).to(part.device)[:rows] for part in parts)


def own_generator(generator: torch.Generator) -> torch.Generator:
    """A generator for one share of `split_across_processes`, drawn from one that is equal in all processes."""
    drawn = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    share = 0 if is_sharded() else processes().process_index
    return torch.Generator(device=generator.device).manual_seed(drawn + share)


Model = TypeVar("Model", bound=nn.Module)


def sharded_copy(model: Model) -> Model:
    """A copy whose trained layers lie in shards; the model itself moves to the CPU."""
    sharded = copy.deepcopy(model)
    model.to("cpu")
    world = processes()
    mesh = init_device_mesh(world.device.type, (world.num_processes,))
    for layer in _trained_layers(sharded):
        fully_shard(layer, mesh=mesh)
    return sharded


def is_shard(tensor: Tensor) -> bool:
    """Whether this process holds only a part of it."""
    return isinstance(tensor, DTensor)


def gather_full(tensor: Tensor) -> Tensor:
    """All of a tensor, which may lie in shards; every process must ask at the same time."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def shard_like(tensor: Tensor, pattern: Tensor) -> Tensor:
    """A whole tensor, divided between the processes as `pattern` is."""
    if not isinstance(pattern, DTensor):
        return tensor
    return distribute_tensor(tensor.to(pattern.device), pattern.device_mesh, pattern.placements)


def _trained_layers(model: nn.Module) -> list[nn.Module]:
    pretrained = [module for module in model.modules() if isinstance(module, PreTrainedModel)]
    names = {name for each in pretrained for name in each._no_split_modules or ()}
    return [
        module
        for module in model.modules()
        if type(module).__name__ in names and any(parameter.requires_grad for parameter in module.parameters())
    ]
