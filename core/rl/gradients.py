"""What happens to gradients between the backward pass and the optimiser's step."""

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from core.models.sharding import is_shard, whole
from core.rl.algorithm import Metrics


def averaged(parameters: list[nn.Parameter], metrics: Metrics, accelerator: Accelerator) -> Metrics:
    """Average gradients and figures over the processes, in one exchange.

    Args:
        parameters: trained ones; FSDP has averaged the gradients of those in shards already.
        metrics: of this process, with the same names in all.
        accelerator: of this process.

    Returns:
        The averaged figures.
    """
    ours = [parameter for parameter in parameters if not is_shard(parameter)]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in ours]
    figures = torch.tensor([metrics[name] for name in sorted(metrics)], device=accelerator.device)
    flat = torch.cat([figures, *(gradient.reshape(-1) for gradient in gradients)])
    mean: Tensor = accelerator.reduce(flat, reduction="mean")
    first, *parts = mean.split([len(metrics), *(gradient.numel() for gradient in gradients)])
    for parameter, part in zip(ours, parts, strict=True):
        parameter.grad = part.view_as(parameter)
    return dict(zip(sorted(metrics), first.tolist(), strict=True))


def clipped(parameters: list[nn.Parameter], bound: float) -> float:
    """Scale the gradients down to a joint norm of at most `bound`; their norm before that."""
    kinds = [[p for p in parameters if p.grad is not None and is_shard(p) == kind] for kind in (False, True)]
    norms = [whole(get_total_norm([p.grad for p in kind if p.grad is not None])) for kind in kinds if kind]
    norm = torch.stack(norms).norm()
    for kind in kinds:
        clip_grads_with_norm_(kind, bound, norm)
    return norm.item()
