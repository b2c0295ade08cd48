"""How fast: to a reward, in steps a second, and beside a bare loop."""

from functools import partial
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

from benchmarks.rl.running import Training, copy_of, rate_of, ratio_estimate
from benchmarks.rl.sb3_ppo import Theirs
from benchmarks.rl.task import (
    INTENTS,
    SUPERVISED_RATES,
    Questions,
    mean_reward,
    policy,
    rl_settings,
    supervised_settings,
)
from core.envs.observations import shuffled
from core.evaluation.bootstrap import Estimate
from core.evaluation.figures import figure
from core.models.actor_critic import ActorCritic
from core.models.devices import autocast
from core.models.encoder import load_backbone
from core.models.weights import DEFAULT_ENCODER
from core.rl.algorithm import Algorithm
from core.rl.all_action import AllAction
from core.rl.ppo import PPO
from core.rl.supervised import Supervised, SupervisedSettings

TARGET_REWARD, LAYERS = 0.5, 2
WARM_RATIO, THROUGHPUT_RATIO, EFFICIENCY = 10, 4, 0.9
SEEDS, BUDGET, SCRATCH_BUDGET = 3, 150.0, 150.0
ENTROPY = 0.3  # for both: with less, all learners flee into handing over at first


def warm_start(train: Questions, seed: int) -> ActorCritic:
    """Supervised on three questions of each intent: clearly better than chance, clearly short of the target."""
    few, settings = train.a_class(3, seed), supervised_settings(4)
    trained = policy(seed, layers=LAYERS)
    Training(trained, Supervised(few.demonstrations(), settings), settings, seed).iterations(4)
    return trained


def time_to_reward(train: Questions, validation: Questions, console: Console) -> dict[str, dict[str, Any]]:
    """Seconds that their PPO needs over ours, from the same warm start and from the pretrained encoder alone."""
    warm: dict[str, list[tuple[float, float]]] = {"all_action": [], "ppo": []}
    scratch, notes = [], []
    for seed in range(SEEDS):
        start = warm_start(train, seed)
        begin = mean_reward(start, validation).mean()
        theirs, reached = Theirs(train, rl_settings("ppo", ent_coef=ENTROPY), start, LAYERS, seed).seconds_to(
            TARGET_REWARD, validation, every=4, budget=BUDGET
        )
        ours = {name: _ours(name, train, validation, start, seed, BUDGET) for name in warm}
        for name, (seconds, _) in ours.items():
            warm[name].append((theirs, seconds))
        said = ", ".join(f"our {name} {_said(*time)}" for name, time in ours.items())
        notes.append(f"seed {seed} from {begin:.2f}: SB3's PPO {_said(theirs, reached)}, {said}")
        console.print(notes[-1])
    theirs, reached = Theirs(train, rl_settings("ppo", ent_coef=ENTROPY), None, LAYERS, 0).seconds_to(
        TARGET_REWARD, validation, every=8, budget=SCRATCH_BUDGET
    )
    for seed in range(SEEDS):
        scratch.append((theirs, _ours("all_action", train, validation, None, seed, SCRATCH_BUDGET)[0]))
    from_scratch = (
        f"SB3's PPO (one seed) {_said(theirs, reached)}; our all_action {[round(o, 1) for _, o in scratch]} s"
    )
    console.print(from_scratch)
    return {
        "time_to_reward_ratio_vs_sb3_ppo": _ratio(warm["all_action"], WARM_RATIO, "; ".join(notes)),
        "ppo_time_to_reward_ratio_vs_sb3_ppo": _ratio(warm["ppo"], None, "our PPO instead of the exact gradient"),
        "scratch_time_to_reward_ratio_vs_sb3_ppo": _ratio(scratch, WARM_RATIO, from_scratch),
    }


def throughput(train: Questions, console: Console) -> dict[str, dict[str, Any]]:
    """Environment steps a second of PPO at equal batch, epochs and trained layers.

    Three passes over ten questions of each intent; ours begins with an empty cache of activations.
    """
    part = train.a_class(10, 0)
    settings, pairs = rl_settings("ppo", target_kl=None), []
    for seed in range(3):
        theirs = Theirs(part, settings, None, LAYERS, seed)
        trained = policy(seed, layers=LAYERS)
        ours = Training(trained, PPO(part.environment(settings.n_envs), settings), settings, seed)
        rollouts = 9
        steps = rollouts * settings.n_envs * settings.n_steps

        pairs.append((rate_of(partial(_rollouts, ours, rollouts, steps)), rate_of(partial(theirs.learn, rollouts))))
        console.print(f"PPO: ours {pairs[-1][0]:.0f}, SB3's {pairs[-1][1]:.0f} steps a second")
    note = f"steps a second: {[(round(a), round(b)) for a, b in pairs]}; top {LAYERS} layers trained by both"
    return {"throughput_ratio_vs_sb3_ppo": _ratio(pairs, THROUGHPUT_RATIO, note)}


def efficiency(train: Questions, console: Console) -> dict[str, dict[str, Any]]:
    """Texts a second of our learner over a bare loop; all layers are trained, so nothing is cached."""
    part = train.a_class(12, 0)
    settings, pairs = supervised_settings(1), []
    trained = policy(0, adapt="full")
    ours = Training(trained, Supervised(part.demonstrations(), settings), settings, 0)
    bare = BareLoop(settings)
    batches = shuffled(trained.lengths({"text": part.texts}), settings.batch_size, np.random.default_rng(0))
    prepared = [bare.prepare(trained, part.take(rows)) for rows in batches]
    bare.run(prepared[:4])
    for _ in range(3):

        def work() -> int:
            ours.iterations(1)
            return len(part.texts)

        pairs.append((rate_of(work), rate_of(lambda: bare.run(prepared))))
        console.print(f"training: ours {pairs[-1][0]:.0f}, a bare loop {pairs[-1][1]:.0f} texts a second")
    note = f"texts a second: {[(round(a), round(b)) for a, b in pairs]}"
    return {"efficiency": _ratio(pairs, EFFICIENCY, note)}


class BareLoop:
    """Forward, backward and optimiser, and nothing else: the batches lie ready as padded tensors."""

    def __init__(self, settings: SupervisedSettings) -> None:
        torch.manual_seed(0)
        self.model = load_backbone(DEFAULT_ENCODER)
        self.model.requires_grad_(False)
        self.model.encoder.requires_grad_(True)
        for module in self.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.head = nn.Linear(self.model.config.hidden_size, INTENTS + 1)
        trained = [p for p in [*self.model.parameters(), *self.head.parameters()] if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate)

    def prepare(self, trained: ActorCritic, questions: Questions) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Padded ids, mask and labels of a batch."""
        batch = trained.encoder.tokenizer(
            list(questions.texts), padding=True, truncation=True, max_length=64, return_tensors="pt"
        )
        return batch["input_ids"], batch["attention_mask"], torch.as_tensor(questions.intents)

    def run(self, batches: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> int:
        """One pass; the texts seen."""
        for ids, mask, labels in batches:
            with autocast(torch.device("cpu")):
                hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
            weight = mask.unsqueeze(-1).float()
            pooled = (hidden.float() * weight).sum(1) / weight.sum(1)
            loss = nn.functional.cross_entropy(self.head(pooled), labels)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
        return sum(len(labels) for _, _, labels in batches)


def _ours(
    name: str, train: Questions, validation: Questions, start: ActorCritic | None, seed: int, budget: float
) -> tuple[float, bool]:
    trained = policy(seed, layers=LAYERS)
    if start is not None:
        copy_of(start, trained)
    rates = SUPERVISED_RATES if name == "all_action" else {}
    settings = rl_settings(name, kl_coef=0, ent_coef=ENTROPY, **rates)
    algorithm: Algorithm
    if name == "all_action":
        rewards = train.rewards()
        algorithm = AllAction({"text": train.texts}, lambda _: rewards, settings)
    else:
        algorithm = PPO(train.environment(settings.n_envs), settings)
    every = 8 if name == "all_action" else 32
    return Training(trained, algorithm, settings, seed).seconds_to(
        TARGET_REWARD, validation, every=every, budget=budget
    )


def _rollouts(ours: Training, rollouts: int, steps: int) -> int:
    ours.iterations(rollouts)
    return steps


def _said(seconds: float, reached: bool) -> str:
    return f"{seconds:.1f} s" if reached else f"not within {seconds:.0f} s"


def _ratio(pairs: list[tuple[float, float]], target: float | None, note: str) -> dict[str, Any]:
    return figure(Estimate(*ratio_estimate(pairs)), target=target) | {"note": note}
