"""What PPO, A2C, TRPO, REINFORCE and GRPO have in common: they learn from their own fresh rollouts."""

from torch import Tensor

from core.envs.episodes import EpisodeEnv
from core.models.policy import Policy
from core.rl.algorithm import Algorithm, Metrics
from core.rl.experience import Experience
from core.rl.regularizer import Regularizer
from core.rl.settings import RLSettings


class OnPolicy(Algorithm):
    """An algorithm with a source of rollouts and a regulariser, and their state in its checkpoint.

    Args:
        env: training environment.
        settings: see `RLSettings`.
        reference: frozen policy to stay close to; None leaves the KL penalty out.
        group: episodes of each first state.
    """

    def __init__(
        self, env: EpisodeEnv, settings: RLSettings, reference: Policy | None = None, *, group: int = 1
    ) -> None:
        self.settings = settings
        self.experience = Experience(env, settings, reference, group)
        self.regularize = Regularizer(settings)

    def end_iteration(self, policy: Policy, figures: Metrics) -> None:
        figures["train_return"] = self.experience.episode_return
        self.experience.end_iteration(policy)
        self.regularize.end_iteration(figures)

    def state(self) -> dict[str, Tensor]:
        return {**self.experience.state(), **self.regularize.state()}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        own = self.regularize.state().keys()
        self.regularize.load_state({name: tensors[name] for name in own})
        self.experience.load_state({name: tensor for name, tensor in tensors.items() if name not in own})
