"""Settings of a pretrained encoder."""

from typing import Literal

from pydantic import Field

from core.models.weights import DEFAULT_ENCODER
from core.util.section import Section

Adaptation = Literal["frozen", "top", "full", "lora", "adalora", "ia3", "prefix", "prompt"]
Pooling = Literal["mean", "cls", "last"]


class EncoderSettings(Section):
    """The pretrained encoder and what of it is trained (see `core.models.encoder.TextEncoder`)."""

    name: str = Field(
        default=DEFAULT_ENCODER, description="Name of the weights: pip:NAME, a local folder, or a Hub id."
    )
    adapt: Adaptation = Field(
        default="full", description="What is trained: nothing, the uppermost layers, all of them, or adapters of PEFT."
    )
    layers: int = Field(default=2, ge=0, description="Number of uppermost layers that `top` trains.")
    rank: int = Field(default=16, ge=1, description="Rank of LoRA and AdaLoRA, or tokens of a prefix or prompt.")
    max_length: int = Field(
        default=96,
        ge=8,
        description="Window in tokens; of a longer conversation the oldest turns are cut, of a message its middle.",
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto", description="Number format of matrix products; auto is bf16 where the hardware is fast in it."
    )
    pooling: Literal["auto", Pooling] = Field(
        default="auto",
        description="Vector that stands for a text: the mean over its tokens, the first one's (cls) or the last one's; "
        "auto is what the model was made with.",
    )
    query_prefix: str | None = Field(
        default=None,
        description="Text put before what the policy reads, before questions and before texts compared with their "
        "like; None is what the model was made with.",
    )
    document_prefix: str | None = Field(
        default=None,
        description="Text put before what questions are compared with; None is what the model was made with.",
    )
