"""What one can learn from simulated visits, beyond the best rule: by imitation, and by RL (`docs/sessions.md`).

Visitors are simulated by people whom neither EASE nor another split knows. Outsiders are tuned; a correction to the
best of them begins at zero, and validation decides whether, and after which iteration, it leaves the rule.
Neither way gained anything there, so the rule serves; `steer bench decisions` measures the others beside it.
"""

from typing import Any

import numpy as np
import torch

from apps.recommender.data import ShopData
from apps.recommender.sessions.environment import SessionEnv
from apps.recommender.sessions.people import Group
from apps.recommender.sessions.policy import SHARPNESS, visit_policy
from apps.recommender.sessions.rule import TRADE_OFFS, distances, tuned
from apps.recommender.sessions.shop import SessionShop, session_shop
from apps.recommender.sessions.visitors import Manners, visitors_of
from apps.recommender.task import Recommender
from core.envs.observations import join
from core.envs.play import Act, play
from core.models.diverse_list import DiverseListPolicy
from core.models.policy import Policy
from core.rl.learner import trained_copy
from core.rl.ppo import PPO, PPOSettings
from core.rl.supervised import Demonstrations, Supervised, SupervisedSettings
from core.training.settings import load_settings

VISITS: dict[Group, int] = {"train": 4000, "validation": 1000, "test": 2000}
_SEEDS: dict[Group, int] = {"train": 10, "validation": 1, "test": 2}
_SIDE_BY_SIDE, _STEPS = 512, 6
_DEMONSTRATED = 24
# What is a fiftieth likelier to be liked is shown e times as often by whoever is imitated.
_TEACHER = 50.0


def shipped_shop() -> tuple[ShopData, SessionShop]:
    """The shipped example's data, and the shop that knows the policy's people of it."""
    task = Recommender(load_settings(Recommender.presets["quick"]))
    return task.data, session_shop(task.data, task.distances, task.rule)


def session_env(data: ShopData, shop: SessionShop, group: Group, manners: Manners | None = None) -> SessionEnv:
    """Visits by the people of a group."""
    visitors = visitors_of(data, shop, group, VISITS[group], manners or Manners(), seed=_SEEDS[group])
    return SessionEnv(shop, visitors)


class Training:
    """What one can do to get from the best rule to a better policy; validation chooses each one's best iteration.

    Attributes:
        judge: The validation visits.
        rules: Every outsider, tuned on them.
        best: Name of the best.

    Args:
        data: Items and events.
        shop: Shop that is visited.
    """

    def __init__(self, data: ShopData, shop: SessionShop) -> None:
        train = visitors_of(data, shop, "train", VISITS["train"], Manners(), seed=_SEEDS["train"])
        self.env = SessionEnv(shop, train, _SIDE_BY_SIDE, shuffle=True, on_average=True)
        self.judge = session_env(data, shop, "validation")
        self.judge.on_average = True
        self.rules = tuned(self.judge)
        self.best = max(self.rules, key=lambda name: self.earned_by(self.rules[name].on(shop)))

    def begun(self) -> DiverseListPolicy:
        """A policy that is still the best rule."""
        shop = self.judge.shop
        return visit_policy(self.rules[self.best], lambda states: distances(shop, states))

    def imitated(self, seed: int, iterations: int = 12) -> DiverseListPolicy:
        """The rule, corrected by imitating what visitors would like best, were it the last thing that they see."""
        torch.manual_seed(seed)
        settings = SupervisedSettings(iterations=iterations, patience=iterations, **_rates(1e-2))
        start = self.begun()
        policy = trained_copy(
            start, Supervised(self._demonstrations(start, seed), settings), settings, validate=self.earned, seed=seed
        )
        return self._retuned(policy)

    def practised(self, seed: int, gamma: float = 1.0, iterations: int = 18) -> DiverseListPolicy:
        """The rule, corrected by its own visits by PPO; with a `gamma` of 0 each pick for its own sake."""
        torch.manual_seed(seed)
        settings = PPOSettings(
            iterations=iterations,
            patience=iterations,
            n_envs=_SIDE_BY_SIDE,
            n_steps=_STEPS,
            n_epochs=3,
            ent_coef=0.0,
            kl_coef=0.0,
            gamma=gamma,
            gae_lambda=0.95,
            normalize_reward=True,
            fresh_episodes=False,
            **_rates(2.5e-2),
        )
        return trained_copy(self.begun(), PPO(self.env, settings), settings, validate=self.earned, seed=seed)

    def earned(self, policy: Policy) -> float:
        """Mean return of the validation visits."""
        return self.earned_by(policy.predict)

    def earned_by(self, act: Act) -> float:
        """Mean return of the validation visits under any way to make lists."""
        return float(play(self.judge, act).returns.mean())

    def _demonstrations(self, policy: DiverseListPolicy, seed: int) -> Demonstrations:
        chance = torch.Generator().manual_seed(seed)
        seen, _ = self.env.reset(seed=seed)
        states, targets = [], []
        for _ in range(_DEMONSTRATED):
            states.append(seen)
            likely = np.exp(_TEACHER * self.env.worth())
            targets.append((likely / likely.sum(axis=1, keepdims=True)).astype(np.float32))
            seen, *_ = self.env.step(policy.sample(seen, chance).actions.numpy())
        return Demonstrations(join(states), np.concatenate(targets))

    def _retuned(self, policy: DiverseListPolicy) -> DiverseListPolicy:
        """The policy with the trade-off that suits what it has learnt."""

        def earned(trade_off: float) -> float:
            policy.head.trade_off = SHARPNESS * trade_off
            return self.earned(policy)

        policy.head.trade_off = SHARPNESS * max(TRADE_OFFS, key=earned)
        return policy


def _rates(rate: float) -> dict[str, Any]:
    return {"batch_size": 1024, "learning_rate": rate, "head_learning_rate": rate, "weight_decay": 0.0}
