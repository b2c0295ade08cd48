"""A2C and TRPO against Stable-Baselines3, step by step: equal weights in, equal rollouts, equal weights out."""

import numpy as np
import pytest
import sb3_contrib
import stable_baselines3 as sb3
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from core.envs.gymnasium_env import GymnasiumEnv
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.features import FeatureEncoder
from core.rl.a2c import A2C, A2CSettings
from core.rl.learner import Learner
from core.rl.rollout import Rollout, generalized_advantages
from core.rl.trpo import TRPO, TRPOSettings

ENVIRONMENTS, STEPS, ROWS = 8, 8, 64


def linears(policy: ActorCritic) -> dict[str, torch.nn.Linear]:
    """Our layers by the names of theirs."""
    layers = {"action_net": policy.head.scores[0], "value_net": policy.critic}
    for at in (0, 2):
        layers[f"mlp_extractor.policy_net.{at}"] = policy.encoder.layers[at]
        layers[f"mlp_extractor.value_net.{at}"] = policy.critic_encoder.layers[at]
    return layers


def as_rollout(theirs: OnPolicyAlgorithm) -> Rollout:
    buffer = theirs.rollout_buffer
    rows = {
        name: torch.as_tensor(np.array(getattr(buffer, name))).reshape(ROWS, 1).float()
        for name in ("actions", "log_probs", "values", "rewards")
    }
    # They note where an episode begins, we where it ends.
    dones = np.concatenate([buffer.episode_starts[1:], theirs._last_episode_starts[None]]).astype(bool)
    last = theirs.policy.predict_values(torch.as_tensor(theirs._last_obs)).detach().reshape(-1)
    zeros = torch.zeros(ROWS, 1)
    return Rollout(
        observations={"features": np.array(buffer.observations).reshape(ROWS, 4)}, actions=rows["actions"].long(),
        mask=zeros == 0, log_probs=rows["log_probs"], values=rows["values"], rewards=rows["rewards"],
        dones=torch.as_tensor(dones.reshape(ROWS)), final_values=torch.zeros(ROWS), last_values=last,
        episode_returns=np.array([]), advantages=zeros, returns=zeros,
    )  # fmt: skip


def test_a2c_takes_the_very_steps_that_stable_baselines_takes(tmp_path):
    env = make_vec_env("CartPole-v1", ENVIRONMENTS, seed=0)
    theirs = sb3.A2C(
        "MlpPolicy", env, n_steps=STEPS, learning_rate=1e-3, use_rms_prop=False, seed=0, device="cpu",
        policy_kwargs={"optimizer_kwargs": {"eps": 1e-8}},
    )  # fmt: skip
    policy = ActorCritic(FeatureEncoder(4), ChoiceHead(64, (2,)), column="features", critic_encoder=FeatureEncoder(4))
    settings = A2CSettings(
        learning_rate=1e-3, head_learning_rate=1e-3, weight_decay=0, warmup_ratio=0, lr_scheduler_type="constant",
        max_grad_norm=0.5, ent_coef=0, kl_coef=0, vf_coef=0.5, n_envs=ENVIRONMENTS, n_steps=STEPS,
        normalize_advantage=False,
    )  # fmt: skip
    for name, layer in linears(policy).items():
        layer.load_state_dict(theirs.policy.get_submodule(name).state_dict())
    algorithm = A2C(GymnasiumEnv("CartPole-v1", ENVIRONMENTS), settings)
    learner = Learner(
        policy, algorithm, settings, validate=lambda _: 0.0, folder=tmp_path, fingerprint="", seed=0,
        report=lambda *_: None,
    )  # fmt: skip
    _, callback = theirs._setup_learn(10_000)
    ended = 0
    for _ in range(100):
        theirs.collect_rollouts(env, callback, theirs.rollout_buffer, STEPS)
        rollout = as_rollout(theirs)
        ended += int(rollout.dones.sum())
        rollout.advantages, rollout.returns = generalized_advantages(rollout, theirs.gamma, theirs.gae_lambda)
        torch.testing.assert_close(rollout.returns.reshape(STEPS, -1), torch.as_tensor(theirs.rollout_buffer.returns))
        theirs.train()
        learner.step(rollout)
    assert ended > 50
    for name, layer in linears(policy).items():
        other = theirs.policy.get_submodule(name)
        torch.testing.assert_close(layer.weight, other.weight, rtol=0, atol=1e-5)
        torch.testing.assert_close(layer.bias, other.bias, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sub_sampling_factor", [1, 3])
def test_trpo_takes_the_very_steps_that_sb3_contrib_takes(sub_sampling_factor):
    env = make_vec_env("CartPole-v1", ENVIRONMENTS, seed=0)
    theirs = sb3_contrib.TRPO(
        "MlpPolicy", env, n_steps=STEPS, batch_size=ROWS, n_critic_updates=1, target_kl=0.01, cg_max_steps=15,
        cg_damping=0.1, sub_sampling_factor=sub_sampling_factor, normalize_advantage=False, seed=0, device="cpu",
    )  # fmt: skip
    policy = ActorCritic(FeatureEncoder(4), ChoiceHead(64, (2,)), column="features", critic_encoder=FeatureEncoder(4))
    settings = TRPOSettings(
        target_kl=0.01, cg_max_steps=15, cg_damping=0.1, fisher_rows=ROWS, sub_sampling_factor=sub_sampling_factor,
        ent_coef=0, kl_coef=0,
    )  # fmt: skip
    algorithm = TRPO(GymnasiumEnv("CartPole-v1", ENVIRONMENTS), settings)
    _, callback = theirs._setup_learn(10_000)
    for name, layer in linears(policy).items():
        layer.load_state_dict(theirs.policy.get_submodule(name).state_dict())
    for _ in range(10):
        theirs.collect_rollouts(env, callback, theirs.rollout_buffer, STEPS)
        rollout = as_rollout(theirs)
        rollout.advantages, _ = generalized_advantages(rollout, theirs.gamma, theirs.gae_lambda)
        # The order in which they will read their rows: shuffled, once all steps of an environment stand together.
        chance = np.random.get_state()
        shuffled = np.random.permutation(ROWS)
        np.random.set_state(chance)
        theirs_first = np.arange(ROWS).reshape(STEPS, ENVIRONMENTS).T.reshape(-1)[shuffled]
        metrics = algorithm.natural_step(policy, rollout.rows(theirs_first))
        theirs.train()
        assert metrics["kl_step"] > 0
        for name, layer in linears(policy).items():
            if "value" not in name:
                torch.testing.assert_close(layer.weight, theirs.policy.get_submodule(name).weight, rtol=0, atol=1e-4)
