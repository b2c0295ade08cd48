"""Every algorithm learns: to choose, to write, and when to act."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from core.envs.observations import count
from core.envs.play import play
from core.envs.stopping import StoppingEnv, quickest_detection
from core.envs.token_text import TokenTextEnv
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.features import FeatureEncoder, RunningStatistics
from core.models.language import TextPolicy
from core.rl.learner import Learner
from core.training.run import Run
from core.training.settings import load_settings
from core.training.stages import ON_POLICY
from core.training.train import train
from tests.core.bandit import Bandit, settings

END, WANTED = 0, 5
# One supervised step at a negligible rate: what is learnt is learnt from rewards.
UNTAUGHT = ("supervised.learning_rate=1e-9", "supervised.head_learning_rate=1e-9", "supervised.iterations=1")


def quiet(*_):
    pass


@pytest.mark.parametrize(
    ("algorithm", "extra"),
    [
        ("ppo", ()),
        ("a2c", ("rl.n_steps=6",)),
        ("trpo", ("rl.target_kl=0.05", "rl.n_steps=4")),
        ("reinforce", ("rl.num_generations=4", "rl.n_steps=1", "rl.n_envs=48")),
        ("grpo", ("rl.num_generations=4", "rl.n_steps=1", "rl.n_envs=48")),
        ("all_action", ()),
        ("off_policy", ("rl.n_steps=6",)),
        ("off_policy", ("rl.n_steps=6", "rl.is_weight_min=1", "rl.is_weight_max=1", "rl.baseline=0")),
    ],
)
def test_an_untrained_policy_learns_to_choose_from_rewards_alone(tmp_path, algorithm, extra):
    overrides = (*UNTAUGHT, f"rl.algorithm={algorithm}", "rl.iterations=20", "rl.patience=20", "rl.kl_coef=0", *extra)
    run = Run(tmp_path)
    train(Bandit(settings(*overrides, "rl.head_learning_rate=0.01", "rl.learning_rate=2e-4")), run, quiet, quiet)
    before = run.history("supervised")[0]["validation_reward"]
    after = max(row["validation_reward"] for row in run.history("rl"))
    assert after > before
    assert after >= 0.8  # chance is -1/3


def small_writer() -> TextPolicy:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=12,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        eos_token_id=END,
        pad_token_id=END,
    )
    return TextPolicy(LlamaForCausalLM(config), END, max_new_tokens=4, precision="fp32")


def writing(num_envs: int) -> TokenTextEnv:
    """Write the wanted token as often as you can."""

    def reward(rows, texts):
        return np.array([np.mean(text == WANTED) for text in texts], dtype=np.float32)

    prompts = [np.array([3, 4]), np.array([7, 8, 9])]
    return TokenTextEnv(
        prompts, vocabulary=12, end=END, max_new_tokens=4, reward=reward, num_envs=num_envs, shuffle=False
    )


def learn(policy, algorithm, env, validation, folder, **options):
    options = {"iterations": 20, "patience": 20, "kl_coef": 0, "learning_rate": 3e-3, "warmup_ratio": 0, **options}
    rl = load_settings({"rl": {"algorithm": algorithm, "n_envs": env.num_envs, **options}}).rl

    def validate(trained):
        return float(play(validation, trained.predict).returns.mean())

    learner = Learner(
        policy,
        ON_POLICY[algorithm](env, rl),
        rl,
        validate=validate,
        folder=folder,
        fingerprint="",
        seed=0,
        report=quiet,
    )
    return learner.run()


@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "trpo", "reinforce", "grpo"])
def test_a_language_model_learns_to_write_what_is_rewarded(tmp_path, algorithm):
    policy = small_writer()
    long = {"iterations": 60, "patience": 60}
    batches = {"batch_size": 16}
    options = {"trpo": {"target_kl": 0.1, **long, **batches}, "a2c": long}.get(algorithm, batches)
    history = learn(policy, algorithm, writing(32), writing(2), tmp_path, n_steps=1, **options)
    assert play(writing(2), policy.predict).returns.mean() > 0.6  # chance is 1/12
    assert len(history) <= 60


def test_writing_all_at_once_and_token_by_token_is_the_same_environment():
    tokens = np.array([[WANTED, 2, END, END], [WANTED, WANTED, 1, WANTED]])
    whole, stepwise = writing(2), writing(2)
    whole.reset(seed=0)
    stepwise.reset(seed=0)
    _, rewards, ended, _, infos = whole.step(tokens)
    total = np.zeros(2)
    for at in range(3):
        _, reward, over, _, _ = stepwise.step(tokens[:, at : at + 1])
        total += reward
    assert ended.all()
    assert over.tolist() == [True, False]  # the second text needs its fourth token
    assert total[0] == rewards[0] == pytest.approx(1 / 3)
    assert infos["pick_rewards"][0].tolist() == pytest.approx([0, 0, 1 / 3, 0])
    assert rewards[1] == 0.75


def test_a_texts_log_probabilities_are_the_same_alone_and_beside_longer_ones():
    policy = small_writer().eval()
    prompts = (np.array([3]), np.array([7, 8, 9, 2, 1]))
    actions = torch.tensor([[5, 2, END, END], [5, 5, 1, 5]])
    both = policy({"tokens": prompts}, actions).distribution.log_prob(actions)
    alone = policy({"tokens": prompts[:1]}, actions[:1]).distribution.log_prob(actions[:1])
    assert torch.allclose(both[0, :3], alone[0, :3], atol=1e-5)


def test_what_was_noted_while_writing_is_what_the_forward_pass_says():
    policy = small_writer().eval()
    observations = {"tokens": (np.array([3, 4]), np.array([7]))}
    acted = policy.sample(observations, torch.Generator().manual_seed(1))
    output = policy(observations, acted.actions)
    mask = acted.mask
    assert torch.allclose(output.distribution.log_prob(acted.actions)[mask], acted.log_probs[mask], atol=1e-5)


def alarms(split_seed: int, num_envs: int) -> StoppingEnv:
    """A noisy level that rises in half of the streams."""
    generator = np.random.default_rng(split_seed)
    streams, act, wait = [], [], []
    for row in range(64):
        change = int(generator.integers(4, 12)) if row % 2 else None
        level = 3.0 * (np.arange(16) >= change) if change else np.zeros(16)
        streams.append((level + generator.normal(size=16) * 0.7)[:, None].astype(np.float32))
        rewards = quickest_detection(16, change, delay_cost=0.2, false_alarm_cost=1.0)
        act.append(rewards[0])
        wait.append(rewards[1])
    return StoppingEnv(streams, act, wait, num_envs, shuffle=num_envs != 64)


def test_ppo_learns_when_to_act_on_a_stream(tmp_path):
    torch.manual_seed(0)
    encoder = FeatureEncoder(1, (32,), normalize=True)
    policy = ActorCritic(encoder, ChoiceHead(32, (2,)), column="features", critic_encoder=FeatureEncoder(1, (32,)))
    validation = alarms(2, 64)
    history = learn(
        policy, "ppo", alarms(1, 32), validation, tmp_path,
        n_steps=32, batch_size=128, n_epochs=4, iterations=25, head_learning_rate=3e-3, normalize_reward=True,
    )  # fmt: skip
    always_wait = play(validation, lambda states: np.zeros((count(states), 1), dtype=np.int64)).returns.mean()
    at_once = play(validation, lambda states: np.ones((count(states), 1), dtype=np.int64)).returns.mean()
    learnt = play(validation, policy.predict).returns.mean()
    assert learnt > max(always_wait, at_once) + 0.2
    assert policy.encoder.statistics.running_count > 0
    assert history[-1]["train_return"] > history[0]["train_return"]


def test_running_statistics_are_those_of_everything_seen():
    statistics = RunningStatistics((2,))
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(rows, 2, generator=generator) * 3 + 1 for rows in (5, 1, 40)]
    for part in parts:
        statistics.update(part)
    everything = torch.cat(parts)
    assert torch.allclose(statistics.running_mean.float(), everything.mean(0), atol=1e-5)
    assert torch.allclose(statistics.running_variance.float(), everything.var(0, unbiased=False), atol=1e-5)
