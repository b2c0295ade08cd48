"""What every algorithm may add to its loss: an entropy bonus, and a KL penalty to the reference policy."""

import torch
from torch import Tensor

from core.models.policy import PolicyOutput
from core.rl.algorithm import Metrics
from core.rl.settings import RLSettings


class Regularizer:
    """Entropy bonus and KL penalty; the penalty's weight is fixed, or follows a target.

    Adaptive weight: Ziegler et al. 2019, "Fine-Tuning Language Models from Human Preferences", section 2.2.

    Args:
        settings: `entropy`, `kl` and `kl_target`.
    """

    def __init__(self, settings: RLSettings) -> None:
        self.entropy, self.kl_target = settings.entropy, settings.kl_target
        self.kl_weight = settings.kl

    def __call__(self, loss: Tensor, output: PolicyOutput, reference: Tensor | None) -> tuple[Tensor, Metrics]:
        """The loss with both terms, and their figures.

        Args:
            loss: of the policy.
            output: of the same forward pass.
            reference: see `Policy.log_probs_for_kl`; None leaves the penalty out.
        """
        entropy = output.distribution.entropy().mean()
        loss = loss - self.entropy * entropy
        metrics = {"entropy": entropy.item()}
        if reference is not None:
            kl = output.distribution.kl(reference.to(loss.device)).mean()
            loss = loss + self.kl_weight * kl
            metrics |= {"kl": kl.item(), "kl_weight": self.kl_weight}
        metrics["loss"] = loss.item()
        return loss, metrics

    def end_iteration(self, figures: Metrics) -> None:
        """Raise the weight where the policy strayed further than the target, lower it where less."""
        if self.kl_target is not None and "kl" in figures:
            off = min(max(figures["kl"] / self.kl_target - 1, -0.2), 0.2)
            self.kl_weight *= 1 + off

    def state(self) -> dict[str, Tensor]:
        """The present weight."""
        return {"kl_weight": torch.tensor(self.kl_weight, dtype=torch.float64)}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `state` gave."""
        self.kl_weight = float(tensors["kl_weight"])
