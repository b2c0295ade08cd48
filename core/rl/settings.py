"""Settings of the stages of training."""

from typing import Literal, Self

from pydantic import Field, model_validator

from core.util.section import Section


class StageSettings(Section):
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
    normalize_advantage: bool = True
    normalize_reward: bool = Field(default=False, description="divide rewards by the running deviation of returns")
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
