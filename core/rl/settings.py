"""Settings that several algorithms share; those of one algorithm alone stand at the top of its own file."""

from typing import Literal, Self

from pydantic import Field, model_validator

from core.util.section import Section


class StageSettings(Section):
    """How the weights are optimised in one stage of training."""

    iterations: int = Field(
        default=10, ge=1, description="Largest number of iterations: epochs of a data set, or rollouts of on-policy RL."
    )
    learning_rate: float = Field(default=5e-5, gt=0, description="Peak learning rate of the pretrained encoder.")
    head_learning_rate: float = Field(default=1e-3, gt=0, description="Peak learning rate of the head and the critic.")
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW's weight decay of matrices; vectors have none.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout rate of the whole policy while it is updated.")
    lr_scheduler_type: Literal["constant", "linear", "cosine", "exponential"] = Field(
        default="linear",
        description="Course of the learning rate after its warm-up: level, down to 0, or down to a hundredth.",
    )
    warmup_ratio: float = Field(
        default=0.1, ge=0, le=1, description="Share of the optimiser's steps in which the learning rate rises."
    )
    max_grad_norm: float = Field(default=1.0, gt=0, description="Largest joint norm of the gradients; longer are cut.")
    micro_batch_size: int | None = Field(
        default=None, ge=1, description="Rows computed at once, whose gradients add up to a batch; None for all of it."
    )
    patience: int = Field(
        default=3, ge=1, description="Iterations without a better validation reward after which the stage ends."
    )
    load_best_model_at_end: bool = Field(
        default=True,
        description="Whether the stage leaves the weights of its best validation reward; without, those of its end, "
        "which are the surer ones where a small validation split tells iterations apart by chance.",
    )


class MinibatchSettings(StageSettings):
    """What a stage adds whose data are divided into batches."""

    batch_size: int = Field(default=32, ge=1, description="Rows of one step of the optimiser.")

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.micro_batch_size is not None and self.micro_batch_size > self.batch_size:
            raise ValueError(
                f"micro_batch_size ({self.micro_batch_size}) is a part of batch_size ({self.batch_size}) and cannot "
                "exceed it: lower it, or leave it out"
            )
        return self


class RLSettings(StageSettings):
    """What all of reinforcement learning shares."""

    ent_coef: float = Field(default=0.01, ge=0, description="Weight of the entropy bonus in the loss.")
    kl_coef: float = Field(default=0.05, ge=0, description="Weight of the KL penalty to the supervised policy.")
    kl_coef_target: float | None = Field(
        default=None,
        gt=0,
        description="KL divergence in nats towards which kl_coef is adapted; None leaves kl_coef as it is.",
    )

    @model_validator(mode="after")
    def _penalty_can_adapt(self) -> Self:
        if self.kl_coef_target is not None and self.kl_coef == 0:
            raise ValueError(
                f"kl_coef_target ({self.kl_coef_target}) adapts kl_coef, which is 0 and stays so: "
                "set kl_coef=0.05, or leave kl_coef_target out"
            )
        return self


class RolloutSettings(RLSettings):
    """What algorithms add that act in an environment."""

    n_envs: int = Field(default=128, ge=1, description="Number of environments that run side by side.")
    n_steps: int = Field(default=4, ge=1, description="Steps of each environment in one rollout.")


class CriticSettings(RolloutSettings):
    """What algorithms with a critic and generalized advantages add."""

    gamma: float = Field(default=1.0, ge=0, le=1, description="Discount factor from one pick to the next.")
    gae_lambda: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="Trade-off of generalized advantages: 0 for one-step errors, 1 for whole returns.",
    )
    normalize_advantage: bool = Field(
        default=True, description="Whether the advantages of a rollout are brought to mean 0 and deviation 1."
    )
    normalize_reward: bool = Field(
        default=False, description="Whether rewards are divided by the running deviation of discounted returns."
    )
    fresh_episodes: bool = Field(
        default=True,
        description="Whether each rollout begins with new episodes; without, they go on from one rollout to the next, "
        "and begin anew after a kill.",
    )

    @model_validator(mode="after")
    def _rows_can_be_normalized(self) -> Self:
        if self.normalize_advantage and self.n_envs * self.n_steps == 1:
            raise ValueError(
                "normalize_advantage needs several rows, and n_envs (1) times n_steps (1) is one: raise n_steps, "
                "or set normalize_advantage=false"
            )
        return self


class GroupSettings(RolloutSettings, MinibatchSettings):
    """What algorithms add that compare several episodes of the same first state."""

    num_generations: int = Field(default=8, ge=2, description="Number of episodes of each first state, a group.")
    clip_range: float = Field(
        default=0.2, gt=0, description="Distance from 1 at which the ratio to the old policy is clipped."
    )

    @model_validator(mode="after")
    def _groups_fit(self) -> Self:
        if self.n_envs % self.num_generations:
            nearest = max(1, self.n_envs // self.num_generations) * self.num_generations
            raise ValueError(
                f"n_envs ({self.n_envs}) must be a multiple of num_generations ({self.num_generations}): "
                f"set n_envs={nearest}"
            )
        return self
