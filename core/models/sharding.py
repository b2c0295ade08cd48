"""Fully sharded data parallel: each process keeps a part of every trained layer and of its optimiser's moments.

A layer is put together only while it computes (Rajbhandari et al. 2020, ZeRO stage 3; here PyTorch's `fully_shard`).
What is no transformer layer with trained weights - embeddings, heads, frozen layers - stays whole in every process.
"""

import copy
from typing import TypeVar

from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

from core.models.distributed import processes

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
