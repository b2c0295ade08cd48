"""PPO, A2C and TRPO against Stable-Baselines3 and sb3-contrib on CartPole-v1, with equal hyper-parameters."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import trim_mean

from benchmarks.side_by_side import side_by_side
from core.envs.gymnasium_env import GymnasiumEnv
from core.envs.play import play
from core.evaluation.bootstrap import Estimate
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.features import FeatureEncoder
from core.rl.a2c import A2CSettings
from core.rl.learner import Learner
from core.rl.ppo import PPOSettings
from core.rl.trpo import TRPOSettings
from core.training.stages import ON_POLICY

NAME, SEEDS, EPISODES = "CartPole-v1", 10, 20

WORK: dict[str, dict[str, Any]] = {
    "ppo": {"steps": 32, "rollouts": 200, "batch": 256, "epochs": 20, "rate": 1e-3, "gamma": 0.98, "lam": 0.8},
    "a2c": {"steps": 8, "rollouts": 2000, "batch": 64, "epochs": 1, "rate": 1e-3, "gamma": 0.99, "lam": 1.0},
    "trpo": {"steps": 64, "rollouts": 100, "batch": 128, "epochs": 10, "rate": 1e-3, "gamma": 0.98, "lam": 0.95},
}
ENVIRONMENTS = 8
MAX_GRAD_NORM, VF_COEF, TRUST, DAMPING, CG_STEPS = 0.5, 0.5, 0.01, 0.1, 15


def differences() -> dict[str, tuple[Estimate, str]]:
    """Our interquartile mean return minus theirs, by algorithm, with both figures in words."""
    jobs = [(whose, name, seed) for name in WORK for seed in range(SEEDS) for whose in ("ours", "theirs")]
    returns = dict(zip(jobs, side_by_side(_returns, jobs), strict=True))
    found = {}
    for name in WORK:
        ours, theirs = (np.array([returns[whose, name, s] for s in range(SEEDS)]) for whose in ("ours", "theirs"))
        note = f"{interquartile_mean(ours):.1f} against {interquartile_mean(theirs):.1f}"
        found[name] = (_difference(ours, theirs), note)
    return found


def interquartile_mean(returns: np.ndarray) -> float:
    """Mean of the middle half (Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice")."""
    return float(trim_mean(returns.reshape(-1), 0.25))


def _difference(ours: np.ndarray, theirs: np.ndarray) -> Estimate:
    """With the interval from resampling seeds, since episodes of one seed share their policy."""
    generator = np.random.default_rng(0)
    drawn = [
        interquartile_mean(ours[generator.integers(0, SEEDS, SEEDS)])
        - interquartile_mean(theirs[generator.integers(0, SEEDS, SEEDS)])
        for _ in range(2000)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(interquartile_mean(ours) - interquartile_mean(theirs), float(low), float(high))


def _returns(whose: str, name: str, seed: int) -> list[float]:
    return (_ours if whose == "ours" else _theirs)(name, seed)


def _ours(name: str, seed: int) -> list[float]:
    torch.manual_seed(seed)
    work = WORK[name]
    env = GymnasiumEnv(NAME, ENVIRONMENTS)
    settings = _settings(name)
    head = ChoiceHead(64, (2,))
    torch.nn.init.orthogonal_(head.scores[0].weight, 0.01)
    torch.nn.init.zeros_(head.scores[0].bias)
    encoder, critic = FeatureEncoder(env.features), FeatureEncoder(env.features)
    policy = ActorCritic(encoder, head, column="features", critic_encoder=critic)
    torch.nn.init.orthogonal_(policy.critic.weight, 1.0)
    algorithm = ON_POLICY[name](env, settings)
    with tempfile.TemporaryDirectory() as folder:
        learner = Learner(
            policy,
            algorithm,
            settings,
            validate=lambda _: 0.0,
            folder=Path(folder),
            fingerprint="",
            seed=seed,
            report=lambda *_: None,
        )
        for rollout in range(work["rollouts"]):
            metrics, _ = learner.iterate(seed * 100_003 + rollout)
            algorithm.end_iteration(policy, metrics)
    return play(GymnasiumEnv(NAME, EPISODES), policy.predict, seed=seed + 1000).returns.tolist()


def _settings(name: str) -> PPOSettings | A2CSettings | TRPOSettings:
    work = WORK[name]
    shared: dict[str, Any] = {
        "iterations": work["rollouts"],
        "learning_rate": work["rate"],
        "head_learning_rate": work["rate"],
        "weight_decay": 0,
        "lr_scheduler_type": "constant",
        "warmup_ratio": 0,
        "max_grad_norm": MAX_GRAD_NORM,
        "ent_coef": 0,
        "kl_coef": 0,
        "gamma": work["gamma"],
        "gae_lambda": work["lam"],
        "n_envs": ENVIRONMENTS,
        "n_steps": work["steps"],
        "fresh_episodes": False,
    }
    if name == "a2c":
        return A2CSettings(**shared, normalize_advantage=False, vf_coef=VF_COEF)
    shared |= {"batch_size": work["batch"], "n_epochs": work["epochs"]}
    if name == "ppo":
        return PPOSettings(**shared, vf_coef=VF_COEF, target_kl=None)
    rows = ENVIRONMENTS * work["steps"]
    return TRPOSettings(**shared, target_kl=TRUST, cg_max_steps=CG_STEPS, cg_damping=DAMPING, fisher_rows=rows)


def _theirs(name: str, seed: int) -> list[float]:
    from sb3_contrib import TRPO
    from stable_baselines3 import A2C, PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    work = WORK[name]
    same: dict[str, Any] = {
        "n_steps": work["steps"],
        "learning_rate": work["rate"],
        "gamma": work["gamma"],
        "gae_lambda": work["lam"],
        "seed": seed,
        "device": "cpu",
        "policy_kwargs": {"optimizer_kwargs": {"eps": 1e-8}},
    }
    env = make_vec_env(NAME, ENVIRONMENTS, seed=seed)
    model: Any
    if name == "ppo":
        model = PPO("MlpPolicy", env, batch_size=work["batch"], n_epochs=work["epochs"], ent_coef=0.0, **same)
    elif name == "a2c":
        model = A2C("MlpPolicy", env, use_rms_prop=False, ent_coef=0.0, normalize_advantage=False, **same)
    else:
        model = TRPO(
            "MlpPolicy",
            env,
            batch_size=work["batch"],
            n_critic_updates=work["epochs"],
            target_kl=TRUST,
            cg_damping=DAMPING,
            cg_max_steps=CG_STEPS,
            **same,
        )
    model.learn(ENVIRONMENTS * work["steps"] * work["rollouts"])
    returns, _ = evaluate_policy(
        model,
        make_vec_env(NAME, EPISODES, seed=seed + 1000),
        n_eval_episodes=EPISODES,
        deterministic=True,
        return_episode_rewards=True,
    )
    return [float(value) for value in returns]
