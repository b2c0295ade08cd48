"""Typed settings of every stage: defaults, a preset, a YAML file and overrides, in that order.

An unknown key is an error that names it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import SteerError
from core.models.catalogue import DEFAULT_ENCODER


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderSettings(_Section):
    """The pretrained encoder and what of it is trained (see `core.models.encoder.TextEncoder`)."""

    name: str = DEFAULT_ENCODER
    adapt: Literal["frozen", "top", "full", "lora", "adalora", "ia3", "prefix", "prompt"] = "full"
    layers: int = Field(default=2, ge=0, description="layers that `top` trains")
    rank: int = Field(default=16, ge=1, description="rank of LoRA and AdaLoRA, tokens of a prefix or prompt")
    max_length: int = Field(default=96, ge=8, description="window in tokens")
    precision: Literal["auto", "bf16", "fp32"] = "auto"


class StageSettings(_Section):
    """How one stage is optimised."""

    iterations: int = Field(default=10, ge=1, description="epochs of supervised training, rollouts of RL")
    batch_size: int = Field(default=32, ge=1)
    micro_batch: int | None = Field(
        default=None, ge=1, description="rows in memory at once; gradients add up to a batch"
    )
    learning_rate: float = Field(default=5e-5, gt=0, description="of the encoder")
    head_learning_rate: float = Field(default=1e-3, gt=0, description="of the head and the critic")
    weight_decay: float = Field(default=0.01, ge=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    schedule: Literal["constant", "linear", "cosine", "exponential"] = "linear"
    warmup: float = Field(default=0.1, ge=0, le=1, description="share of the steps")
    clip_norm: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    patience: int = Field(default=3, ge=1, description="iterations without a better validation reward before stopping")


class RLSettings(StageSettings):
    """What RL adds; `algorithm` says which of the settings count."""

    algorithm: Literal["ppo", "a2c", "trpo", "reinforce", "grpo", "all_action", "off_policy"] = "ppo"
    entropy: float = Field(default=0.01, ge=0, description="weight of the entropy bonus")
    kl: float = Field(default=0.05, ge=0, description="weight of the KL penalty to the supervised policy")
    kl_target: float | None = Field(default=None, gt=0, description="KL that the weight of the penalty is steered to")
    gamma: float = Field(default=1.0, ge=0, le=1, description="discount")
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    normalise_advantages: bool = True
    normalise_rewards: bool = Field(default=False, description="divide rewards by the running deviation of returns")
    clip_range: float = Field(default=0.2, gt=0)
    clip_range_high: float | None = Field(default=None, gt=0, description="GRPO's upper side, where it differs")
    value_weight: float = Field(default=0.5, ge=0)
    target_kl: float | None = Field(default=0.03, gt=0, description="PPO ends its updates beyond this; TRPO's bound")
    cg_steps: int = Field(default=10, ge=1, description="TRPO's steps of conjugate gradient")
    damping: float = Field(default=0.1, ge=0, description="added to the diagonal of TRPO's Fisher matrix")
    fisher_rows: int = Field(default=128, ge=1, description="rows that TRPO's curvature is measured on")
    group: int = Field(default=8, ge=2, description="episodes of each first state that REINFORCE and GRPO compare")
    weight_clip: float = Field(default=10.0, gt=0, description="largest importance weight of a logged decision")
    weight_floor: float = Field(
        default=0.0,
        ge=0,
        description="smallest weight of a logged decision above the baseline; 1, with a clip of 1: TOPR",
    )
    baseline: float | None = Field(default=None, description="what logged rewards are compared with, else their mean")
    environments: int = Field(default=128, ge=1, description="environments that run side by side")
    steps: int = Field(default=4, ge=1, description="steps of each environment in a rollout")
    fresh_episodes: bool = Field(default=True, description="begin each rollout with new episodes")
    epochs: int = Field(default=2, ge=1, description="passes over a rollout")

    @model_validator(mode="after")
    def _groups_fit(self) -> Self:
        if self.algorithm in ("reinforce", "grpo") and self.environments % self.group:
            raise ValueError(
                f"environments ({self.environments}) must be a multiple of group ({self.group}); "
                f"try {max(1, self.environments // self.group) * self.group}"
            )
        return self


class Settings(_Section):
    """Everything that a run depends on besides its data."""

    seed: int = 0
    encoder: EncoderSettings = EncoderSettings()
    linear: StageSettings = StageSettings(iterations=30, batch_size=64, patience=5)
    supervised: StageSettings = StageSettings(dropout=0.1)
    rl: RLSettings = RLSettings()
    rewards: dict[str, float] = Field(default_factory=dict, description="weights of the task's reward")


def load_settings(preset: Mapping[str, Any], file: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Merge a preset, a YAML file and `section.key=value` overrides.

    Raises:
        SteerError: the file cannot be read, or a key or a value is wrong; the message names it.
    """
    values: dict[str, Any] = {}
    _merge(values, preset)
    if file is not None:
        _merge(values, _read_yaml(file))
    for override in overrides:
        _merge(values, _parse_override(override))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors())
        raise SteerError("wrong settings: " + "; ".join(lines)) from error


def _merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, Mapping):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def _read_yaml(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SteerError(f"cannot read settings from {file}: {error}") from error
    if content is not None and not isinstance(content, Mapping):
        raise SteerError(f"{file} must hold `section:` blocks with `key: value` lines, not a {type(content).__name__}")
    return content or {}


def _parse_override(override: str) -> dict[str, Any]:
    path, equals, text = override.partition("=")
    if not equals:
        raise SteerError(f"override {override!r} has no '='; write for example rl.iterations=20")
    value: Any = yaml.safe_load(text)
    for key in reversed(path.strip().split(".")):
        value = {key: value}
    return value
