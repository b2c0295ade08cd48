"""How the learning rate changes over a stage."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from transformers import get_scheduler

from core.rl.settings import StageSettings

_LAST_SHARE = 0.01


def learning_rate_schedule(optimizer: Optimizer, settings: StageSettings, steps: int) -> LRScheduler:
    """Warm-up over the share `settings.warmup_ratio` of `steps`, then the schedule that the settings name.

    `constant` stays, `linear` and `cosine` fall to 0, `exponential` falls to a hundredth by an equal factor each step.

    Args:
        optimizer: Optimiser whose learning rates are scaled.
        settings: Settings of the stage.
        steps: Number of the optimiser's steps in the whole stage.
    """
    warmup = min(round(settings.warmup_ratio * steps), steps - 1)  # the rate is 0 in its first step
    if settings.lr_scheduler_type != "exponential":
        name = "constant_with_warmup" if settings.lr_scheduler_type == "constant" else settings.lr_scheduler_type
        return get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=steps)

    def share(step: int) -> float:
        if step < warmup:
            return step / warmup
        return _LAST_SHARE ** ((step - warmup) / max(1, steps - warmup))

    return LambdaLR(optimizer, share)
