"""Settings of a pretrained encoder."""

from typing import Literal

from pydantic import Field

from core.models.weights import DEFAULT_ENCODER
from core.util.section import Section


class EncoderSettings(Section):
    """The pretrained encoder and what of it is trained (see `core.models.encoder.TextEncoder`)."""

    name: str = DEFAULT_ENCODER
    adapt: Literal["frozen", "top", "full", "lora", "adalora", "ia3", "prefix", "prompt"] = "full"
    layers: int = Field(default=2, ge=0, description="layers that `top` trains")
    rank: int = Field(default=16, ge=1, description="rank of LoRA and AdaLoRA, tokens of a prefix or prompt")
    max_length: int = Field(default=96, ge=8, description="window in tokens")
    precision: Literal["auto", "bf16", "fp32"] = "auto"
