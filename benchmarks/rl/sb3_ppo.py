"""Stable-Baselines3's PPO on the same environment, encoder, trained layers, batch and epochs."""

import time
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv
from transformers import AutoTokenizer

from benchmarks.rl.task import Questions
from core.envs.single import SingleEnv, TextToIds
from core.models.actor_critic import ActorCritic
from core.models.sb3 import EncoderFeatures
from core.models.weights import DEFAULT_ENCODER, resolve
from core.rl.ppo import PPOSettings

WINDOW = 48  # 99 % of the questions are shorter


class Theirs:
    """Their PPO with our settings, from the weights of one of our policies.

    Args:
        questions: to train on.
        settings: of our PPO.
        start: policy that lends its encoder and head; None starts with a fresh head on the pretrained encoder.
        layers: uppermost layers that are trained.
        seed: of everything random.
    """

    def __init__(
        self, questions: Questions, settings: PPOSettings, start: ActorCritic | None, layers: int, seed: int
    ) -> None:
        self.ids = TextToIds(AutoTokenizer.from_pretrained(resolve(DEFAULT_ENCODER)), WINDOW)

        def make(slot: int) -> SingleEnv:
            env = questions.environment(1)
            env.reset(seed=seed * 1000 + slot)
            return SingleEnv(env, {"text": self.ids})

        env = DummyVecEnv([lambda slot=slot: make(slot) for slot in range(settings.n_envs)])  # type: ignore[misc]
        self.model: Any = PPO(
            "MultiInputPolicy",
            env,
            learning_rate=settings.learning_rate,
            n_steps=settings.n_steps,
            batch_size=settings.batch_size,
            n_epochs=settings.n_epochs,
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
            clip_range=settings.clip_range,
            ent_coef=settings.ent_coef,
            vf_coef=settings.vf_coef,
            max_grad_norm=settings.max_grad_norm,
            target_kl=settings.target_kl,
            seed=seed,
            device="cpu",
            policy_kwargs={
                "features_extractor_class": EncoderFeatures,
                "features_extractor_kwargs": {"adapt": "top", "layers": layers},
                "net_arch": [],
                "ortho_init": False,
            },
        )
        if start is not None:
            self._take_over(start)
        # The head learns as fast as ours does.
        heads = [*self.model.policy.action_net.parameters(), *self.model.policy.value_net.parameters()]
        encoder = [p for p in self.model.policy.features_extractor.parameters() if p.requires_grad]
        groups = [{"params": encoder, "lr": settings.learning_rate}]
        groups.append({"params": heads, "lr": settings.head_learning_rate})
        self.model.policy.optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        self.model._update_learning_rate = lambda _: None  # it would set one rate for all

    def seconds_to(self, target: float, validation: Questions, *, every: int, budget: float) -> tuple[float, bool]:
        """As `Training.seconds_to`, with `every` in rollouts."""
        spent = 0.0
        while spent < budget:
            begun = time.perf_counter()
            self.learn(every)
            spent += time.perf_counter() - begun
            if self.reward(validation) >= target:
                return spent, True
        return budget, False

    def learn(self, rollouts: int) -> int:
        """Train; the environment steps done."""
        steps = rollouts * self.model.n_steps * self.model.n_envs
        self.model.learn(steps, reset_num_timesteps=False)
        return steps

    def reward(self, questions: Questions) -> float:
        """Mean reward of their most probable actions."""
        ids = np.stack([self.ids(text) for text in questions.texts])
        parts = [self.model.predict({"text": part}, deterministic=True)[0] for part in np.array_split(ids, 16)]
        actions = np.concatenate(parts)
        return float(questions.rewards()[np.arange(len(actions)), actions].mean())

    def _take_over(self, start: ActorCritic) -> None:
        backbone: Any = start.encoder.backbone
        self.model.policy.features_extractor.backbone.load_state_dict(backbone.state_dict())
        self.model.policy.action_net.load_state_dict(start.head.scores[0].state_dict())
