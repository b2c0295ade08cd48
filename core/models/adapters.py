"""Which part of a pretrained encoder is trained, and the adapters of PEFT (which has no bottleneck adapters)."""

import inspect
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
from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING
from torch import nn

from core.models.settings import Adaptation
from core.util.errors import SteerError

_EVERY_PROJECTION = "all-linear"


def adapted(backbone: Any, adapt: Adaptation, layers: int, rank: int) -> Any:
    """The encoder with the trained part chosen.

    Args:
        backbone: Encoder of any family.
        adapt: Part that is trained: `frozen` trains nothing; `top` the uppermost layers; `full` all layers but the
            embeddings; `lora` low-rank adapters on every projection (Hu et al. 2021); `adalora` the same with a budget
            of ranks (Zhang et al. 2023), from 1.5 times `rank` down to `rank` on average; `ia3` learnt scales (Liu et
            al. 2022) on the projections that PEFT knows of the family, else on every one; `prefix` learnt keys and
            values (Li and Liang 2021); `prompt` learnt input vectors (Lester et al. 2021).
        layers: Number of uppermost layers that `top` trains.
        rank: Rank of the low-rank adapters; number of virtual tokens of a prefix or prompt.

    Raises:
        SteerError: An encoder of this family cannot be adapted so.
    """
    if adapt not in ("frozen", "top", "full"):
        return get_peft_model(backbone, _config(backbone, adapt, rank))
    backbone.requires_grad_(False)
    if adapt == "top":
        for layer in layer_stack(backbone)[lower_layers(backbone, layers) :]:
            layer.requires_grad_(True)
    elif adapt == "full":
        layer_stack(backbone).requires_grad_(True)
    return backbone


def layer_stack(backbone: nn.Module) -> nn.ModuleList:
    """The transformer's layers, lowest first: the one outermost list of modules that it has.

    Raises:
        SteerError: It has several such lists, or none.
    """
    lists = {name: module for name, module in backbone.named_modules() if isinstance(module, nn.ModuleList)}
    outermost = [
        module
        for name, module in lists.items()
        if len(module) and not any(name.startswith(f"{other}.") for other in lists)
    ]
    if len(outermost) != 1:
        raise SteerError(
            f"{_family(backbone)} keeps its layers in {len(outermost)} lists, so encoder.adapt can be neither top nor "
            "full; use lora or frozen."
        )
    return outermost[0]


def lower_layers(backbone: Any, layers: int) -> int:
    """Number of layers below the uppermost `layers`.

    Raises:
        SteerError: All layers share their weights.
    """
    stack, depth = layer_stack(backbone), backbone.config.num_hidden_layers
    if len(stack) < depth:
        raise SteerError(
            f"{_family(backbone)} uses the same weights in all of its {depth} layers, so encoder.adapt=top cannot "
            "train the uppermost alone; use full, lora or frozen."
        )
    return max(depth - layers, 0)


def virtual_tokens(adapt: Adaptation, rank: int) -> int:
    """Positions that stand before a text's own in the last layer."""
    return rank if adapt == "prompt" else 0


def reallocate_ranks(backbone: Any, done: int, total: int) -> None:
    """Take ranks from where AdaLoRA's scores say they matter least, between a tenth and seven tenths of the steps."""
    config = backbone.peft_config["default"]
    config.total_step, config.tinit, config.tfinal = total, total // 10, total - 7 * total // 10
    backbone.base_model.update_and_allocate(done)


def _config(backbone: Any, adapt: Adaptation, rank: int) -> PeftConfig:
    task = TaskType.FEATURE_EXTRACTION
    # No pooling of ours asks the pretrained pooler.
    unused = r".*pooler.*" if any("pooler" in name for name, _ in backbone.named_modules()) else None
    match adapt:
        case "lora":
            return LoraConfig(
                r=rank,
                lora_alpha=2 * rank,
                lora_dropout=0.0,
                target_modules=_EVERY_PROJECTION,
                exclude_modules=unused,
            )
        case "adalora":
            return AdaLoraConfig(
                init_r=rank + rank // 2,
                target_r=rank,
                lora_alpha=2 * rank,
                target_modules=_EVERY_PROJECTION,
                total_step=1,
                exclude_modules=unused,
            )
        case "ia3":
            if _family(backbone) in TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING:
                return IA3Config(task_type=task)
            return IA3Config(
                target_modules=_EVERY_PROJECTION, feedforward_modules=[], exclude_modules=unused, task_type=task
            )
        case "prefix":
            if "past_key_values" not in inspect.signature(backbone.forward).parameters:
                raise SteerError(
                    f"{_family(backbone)} takes no keys and values from outside, which encoder.adapt=prefix would "
                    "learn; use prompt, lora or ia3."
                )
            width, heads = backbone.config.hidden_size, backbone.config.num_attention_heads
            return PrefixTuningConfig(
                task_type=task, num_virtual_tokens=rank, token_dim=width, num_attention_heads=heads
            )
        case _:
            width = backbone.get_input_embeddings().embedding_dim
            return PromptTuningConfig(task_type=task, num_virtual_tokens=rank, token_dim=width, num_attention_heads=1)


def _family(backbone: Any) -> str:
    return str(backbone.config.model_type)
