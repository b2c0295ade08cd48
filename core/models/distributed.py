"""Work without gradients, divided between the processes of a distributed run."""

from collections.abc import Callable

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather, parse_flag_from_env
from torch import Tensor

from core.envs.observations import Observations, count, take

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
