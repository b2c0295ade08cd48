"""Which part of a pretrained encoder is trained, and the adapters of PEFT (which has no bottleneck adapters)."""

from typing import Any

from peft import (
    AdaLoraConfig,
    IA3Config,
    LoraConfig,
    PeftConfig,
    PrefixTuningConfig,
    PromptTuningConfig,
    TaskType,
    get_peft_model,
)

from core.models.settings import Adaptation

_PROJECTIONS = ["query", "key", "value", "dense"]
_UNUSED = r".*pooler.*"  # mean pooling leaves the pretrained pooler out


def adapted(backbone: Any, adapt: Adaptation, layers: int, rank: int) -> Any:
    """The encoder with the trained part chosen.

    Args:
        backbone: Encoder with its layers at `encoder.layer`.
        adapt: What is trained: `frozen` trains nothing; `top` the uppermost layers; `full` all layers but the
            embeddings; `lora` low-rank adapters on every projection (Hu et al. 2021); `adalora` the same with a budget
            of ranks (Zhang et al. 2023), from 1.5 times `rank` down to `rank` on average; `ia3` learnt scales (Liu et
            al. 2022); `prefix` learnt keys and values (Li and Liang 2021); `prompt` learnt input vectors (Lester et al.
            2021).
        layers: Number of uppermost layers that `top` trains.
        rank: Rank of the low-rank adapters; number of virtual tokens of a prefix or prompt.
    """
    if adapt in ("frozen", "top", "full"):
        stack = backbone.encoder.layer
        first = {"frozen": len(stack), "top": max(len(stack) - layers, 0), "full": 0}[adapt]
        backbone.requires_grad_(False)
        for layer in stack[first:]:
            layer.requires_grad_(True)
        return backbone
    return get_peft_model(backbone, _config(adapt, rank))


def virtual_tokens(adapt: Adaptation, rank: int) -> int:
    """Positions that stand before a text's own in the last layer."""
    return rank if adapt == "prompt" else 0


def reallocate_ranks(backbone: Any, done: int, total: int) -> None:
    """Take ranks from where AdaLoRA's scores say they matter least, between a tenth and seven tenths of the steps."""
    config = backbone.peft_config["default"]
    config.total_step, config.tinit, config.tfinal = total, total // 10, total - 7 * total // 10
    backbone.base_model.update_and_allocate(done)


def _config(adapt: Adaptation, rank: int) -> PeftConfig:
    task = TaskType.FEATURE_EXTRACTION
    match adapt:
        case "lora":
            return LoraConfig(
                r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=_PROJECTIONS, exclude_modules=_UNUSED
            )
        case "adalora":
            return AdaLoraConfig(
                init_r=rank + rank // 2,
                target_r=rank,
                lora_alpha=2 * rank,
                target_modules=_PROJECTIONS,
                total_step=1,
                exclude_modules=_UNUSED,
            )
        case "ia3":
            return IA3Config(
                target_modules=["key", "value", "output.dense"], feedforward_modules=["output.dense"], task_type=task
            )
        case "prefix":
            return PrefixTuningConfig(task_type=task, num_virtual_tokens=rank)
        case _:
            return PromptTuningConfig(task_type=task, num_virtual_tokens=rank)
