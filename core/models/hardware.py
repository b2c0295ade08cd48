"""What this machine computes on."""

import torch


def bf16_hardware(device: torch.device) -> str:
    """What of the hardware multiplies bfloat16 matrices faster than float32 ones; empty if nothing does."""
    if device.type == "cuda":
        return "CUDA" if torch.cuda.is_bf16_supported(including_emulation=False) else ""
    if torch.cpu._is_amx_tile_supported():
        return "AMX"
    return "AVX-512" if torch.cpu._is_avx512_bf16_supported() else ""
