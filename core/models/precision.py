"""In which number format is computed."""

import torch
from torch import nn


def has_fast_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 matrices faster than float32 ones."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def is_bf16(device: torch.device, precision: str = "auto") -> bool:
    """Whether `autocast` computes in bfloat16."""
    return precision == "bf16" or (precision == "auto" and has_fast_bf16(device))


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
