"""What algorithms learn from: time limits, the scale of rewards, and the order of batches."""

import copy

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel

from core.envs.gymnasium_env import GymnasiumEnv
from core.envs.observations import count
from core.envs.play import play
from core.envs.single import SingleEnv
from core.envs.slate import SlateEnv
from core.envs.stopping import StoppingEnv
from core.envs.text_choice import TextChoiceEnv
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.encoder import TextEncoder
from core.models.features import FeatureEncoder
from core.models.history import HistoryEncoder, ItemTable
from core.models.policy import set_dropout
from core.rl.a2c import A2C, A2CSettings
from core.rl.grpo import GRPO, GRPOSettings
from core.rl.learner import Learner
from core.rl.off_policy import log_decisions
from core.rl.ppo import PPO, PPOSettings
from core.rl.reinforce import Reinforce, ReinforceSettings
from core.rl.rollout import generalized_advantages, normalize_advantages
from core.rl.trpo import TRPO, TRPOSettings
from core.training.settings import load_settings
from core.training.stages import ON_POLICY
from core.util.errors import SteerError
from tests.core.test_advantages import rollout as rows_of
from tests.core.test_algorithms import small_writer

LIMIT = 5


class Counting(gym.Env):
    """Pays 1 for each step and shows how many there were; a time limit cuts it off."""

    observation_space = gym.spaces.Box(0, LIMIT, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.full(1, self.steps, dtype=np.float32), 1.0, False, False, {}


gym.register("Counting-v0", Counting, max_episode_steps=LIMIT)


def counting_policy(value: float) -> ActorCritic:
    """Its critic expects the same of every state."""
    policy = ActorCritic(FeatureEncoder(1), ChoiceHead(64, (2,)), column="features")
    nn.init.constant_(policy.critic.bias, value)
    return policy


def collected(value: float, **changes):
    settings = A2CSettings(
        n_envs=1, n_steps=LIMIT, gamma=0.9, gae_lambda=1, kl_coef=0, normalize_advantage=False, **changes
    )
    algorithm = A2C(GymnasiumEnv("Counting-v0", 1), settings)
    return algorithm, algorithm.collect_rollouts(counting_policy(value), seed=0)


@pytest.mark.parametrize("value", [0.0, 10.0, 100.0])
def test_a_time_limit_counts_what_the_critic_expects_and_rewards_alone_make_their_scale(value):
    algorithm, rollout = collected(value, normalize_reward=True)
    discounted = [1, 1.9, 2.71, 3.439, 4.0951]
    assert algorithm.reward_scale.running_variance.sqrt().item() == pytest.approx(np.std(discounted))
    reward = 1 / np.std(discounted)
    assert rollout.rewards[:, 0].tolist() == pytest.approx([reward] * LIMIT, rel=1e-5)
    assert rollout.returns[-1, 0].item() == pytest.approx(reward + 0.9 * value, rel=1e-5)


def test_only_the_state_in_which_time_ran_out_is_valued():
    _, rollout = collected(10.0)
    assert rollout.final_values.tolist() == [0, 0, 0, 0, 10]
    assert rollout.dones.tolist() == [False] * 4 + [True]
    assert rollout.last_values.tolist() == [0]


def test_a_time_limit_is_credited_to_the_last_pick_that_was_made():
    rewards = torch.zeros(1, 1, 3)
    mask, done = torch.tensor([[[True, True, False]]]), torch.ones(1, 1, dtype=torch.bool)
    cut = rows_of(rewards, torch.zeros(1, 1, 3), done, torch.zeros(1), mask, final=torch.tensor([[8.0]]))
    advantages, _ = generalized_advantages(cut, 0.5, 1.0)
    assert advantages.tolist() == [[2.0, 4.0, 0.0]]


def test_episodes_that_never_end_within_a_rollout_are_refused_with_a_remedy():
    algorithm = PPO(GymnasiumEnv("Counting-v0", 2), PPOSettings(n_envs=2, n_steps=LIMIT - 1, kl_coef=0))
    with pytest.raises(SteerError, match=r"within 4 steps; raise rl\.n_steps .* rl\.fresh_episodes=false"):
        algorithm.collect_rollouts(counting_policy(0.0), seed=0)


def test_a_single_advantage_is_left_as_it_is():
    one = torch.tensor([[3.0, 7.0]])
    assert normalize_advantages(one, torch.tensor([[True, False]])).tolist() == [[3.0, 7.0]]
    two = normalize_advantages(one, torch.tensor([[True, True]]))
    assert two.mean().item() == pytest.approx(0)


def test_trpos_critic_sees_its_rows_in_another_order_in_each_iteration():
    settings = TRPOSettings(n_envs=8, n_steps=LIMIT, n_epochs=1, batch_size=10, kl_coef=0)
    algorithm = TRPO(GymnasiumEnv("Counting-v0", 8), settings)

    def order(seed: int) -> list[float]:
        seen: list[float] = []

        def step(batch):
            seen.extend(batch.observations["features"][:, 0].tolist())
            return {}

        list(algorithm.updates(counting_policy(1.0), seed, step))
        return seen

    first, again, later = order(3), order(3), order(4)
    assert first == again
    assert first != later
    assert sorted(first) == sorted(later)


def test_dropout_reaches_attention():
    items = ItemTable(np.ones((5, 4), dtype=np.float32), 8)
    policy = ActorCritic(HistoryEncoder(items, 8), ChoiceHead(8, (3,)), column="history")
    histories = {"history": (np.array([1, 2, 3]), np.array([4]))}
    policy.set_dropout(0.5)
    policy.train()
    assert [part.dropout for part in policy.modules() if isinstance(part, nn.MultiheadAttention)] == [0.5, 0.5]
    assert not torch.equal(policy(histories).distribution.log_probs, policy(histories).distribution.log_probs)
    policy.set_dropout(0.0)
    assert torch.equal(policy(histories).distribution.log_probs, policy(histories).distribution.log_probs)


@pytest.mark.parametrize(
    "network",
    [
        nn.LSTM(4, 4, num_layers=2, dropout=0.5, batch_first=True),
        nn.Sequential(nn.Dropout1d(0.5), nn.AlphaDropout(0.5), nn.Linear(4, 4)),
    ],
    ids=["recurrent", "other kinds"],
)
def test_no_kind_of_dropout_is_left_on(network):
    states = torch.randn(2, 3, 4)

    def twice() -> list[torch.Tensor]:
        found = [network(states) for _ in range(2)]
        return [each[0] if isinstance(each, tuple) else each for each in found]

    network.train()
    assert not torch.equal(*twice())
    set_dropout(network, 0.0)
    assert torch.equal(*twice())


@pytest.mark.parametrize("family", ["llama", "opt", "gpt2", "bert", "distilbert", "modernbert"])
def test_dropout_is_off_in_models_of_the_hub_whichever_way_they_keep_it(family):
    rates = ("attention_dropout", "dropout", "attn_pdrop", "resid_pdrop", "embd_pdrop", "hidden_dropout_prob",
             "attention_probs_dropout_prob", "mlp_dropout", "embedding_dropout")  # fmt: skip
    sizes = {"vocab_size": 20, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "pad_token_id": 0}
    config = AutoConfig.for_model(family, **sizes)
    for rate in rates:
        if hasattr(config, rate):
            setattr(config, rate, 0.5)
    torch.manual_seed(0)
    model = AutoModel.from_config(config, attn_implementation="eager").train()
    ids = torch.arange(1, 9)[None]

    def twice() -> list[torch.Tensor]:
        return [model(input_ids=ids).last_hidden_state for _ in range(2)]

    assert not torch.equal(*twice())
    set_dropout(model, 0.0)
    assert torch.equal(*twice())


@pytest.mark.parametrize("adapt", ["top", "full", "lora"])
def test_dropout_is_off_in_an_encoder_while_it_is_trained(adapt):
    encoder = TextEncoder(adapt=adapt, precision="fp32")
    policy = ActorCritic(encoder, ChoiceHead(encoder.width, (3,)))
    texts = {"text": ("where is my parcel", "snow in the hills")}
    policy.set_dropout(0.3)
    policy.train()
    assert not torch.equal(policy(texts).distribution.log_probs, policy(texts).distribution.log_probs)
    policy.set_dropout(0.0)
    torch.testing.assert_close(policy(texts).distribution.log_probs, policy.logits(texts))


def test_the_value_of_a_state_is_what_acting_in_it_expects():
    choosing = counting_policy(0.0)
    nn.init.normal_(choosing.critic.weight)
    writing = small_writer()
    nn.init.normal_(writing.critic.weight)
    states = {"features": np.array([[1.0], [2.0], [3.0]], dtype=np.float32)}
    prompts = {"tokens": (np.array([3, 4]), np.array([7]), np.array([1, 2, 3, 4]))}
    for policy, observations in ((choosing, states), (writing, prompts)):
        acted = policy.sample(observations, torch.Generator().manual_seed(0))
        value = policy.value(observations)
        assert value.shape == (3,)
        torch.testing.assert_close(value, acted.values[:, 0], atol=1e-5, rtol=1e-5)
        log_prob = policy.log_prob(observations, acted.actions)
        torch.testing.assert_close(log_prob[acted.mask], acted.log_probs[acted.mask], atol=1e-5, rtol=1e-5)


def test_playing_ends_where_a_time_limit_cuts_off():
    played = play(GymnasiumEnv("Counting-v0", 3), lambda states: np.zeros((count(states), 1), dtype=np.int64))
    assert played.returns.tolist() == [LIMIT] * 3
    assert played.steps.tolist() == [LIMIT] * 3


def test_a_single_environment_begins_anew_in_mid_episode_and_shows_the_state_that_was_cut_off():
    env = SingleEnv(GymnasiumEnv("Counting-v0", 1))
    env.reset(seed=0)
    env.step(0)
    states, _ = env.reset()
    assert states["features"].tolist() == [0]
    for _ in range(LIMIT):
        states, _, terminated, truncated, _ = env.step(0)
    assert (terminated, truncated) == (False, True)
    assert states["features"].tolist() == [LIMIT]
    assert env.reset()[0]["features"].tolist() == [0]


class Lottery(TextChoiceEnv):
    """Draws at random how a row begins, so that no two tries of it are alike."""

    def begin(self, slots):
        self.luck = self.np_random.random((self.num_envs, 1)).astype(np.float32)

    def observe(self):
        return {"features": self.luck}


@pytest.mark.parametrize(
    "algorithm", [GRPO(None, GRPOSettings(n_envs=8)), Reinforce(None, ReinforceSettings(n_envs=8))]
)
def test_what_begins_at_random_is_no_group(algorithm):
    algorithm.env = Lottery(["a", "b"], np.zeros((2, 2), dtype=np.float32), 8, shuffle=True)
    with pytest.raises(SteerError, match=r"environments 0 and 1 try one first state.* rl\.algorithm=ppo"):
        algorithm.collect_rollouts(counting_policy(0.0), seed=0)


def test_groups_cannot_go_on_from_rollout_to_rollout():
    with pytest.raises(SteerError, match=r"rl\.fresh_episodes belongs to ppo, a2c, trpo; rl\.algorithm is grpo"):
        load_settings({}, overrides=["rl.algorithm=grpo", "rl.fresh_episodes=false"])


def test_a_log_of_decisions_that_stops_before_the_end_of_an_episode_is_refused():
    with pytest.raises(SteerError, match=r"within 4 steps; raise rl\.n_steps"):
        log_decisions(counting_policy(0.0), GymnasiumEnv("Counting-v0", 2), n_steps=LIMIT - 1, seed=0)
    assert len(log_decisions(counting_policy(0.0), GymnasiumEnv("Counting-v0", 2), n_steps=LIMIT, seed=0)) == 2 * LIMIT


def test_a_pick_whose_reward_is_not_a_number_is_named():
    def halves(rows, picks):
        return np.array([[np.inf, -np.inf]], dtype=np.float32)

    env = SlateEnv(
        {"features": np.zeros((3, 1), dtype=np.float32)}, gym.spaces.Dict(), options=3, picks=2, reward_fn=halves,
        num_envs=1, shuffle=False,
    )  # fmt: skip
    env.reset(seed=0)
    with pytest.raises(SteerError, match="the reward of episode 0 is not a finite number"), np.errstate(all="ignore"):
        env.step(np.array([[0, 1]]))


ALGORITHMS = ["ppo", "a2c", "trpo", "reinforce", "grpo"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_where_there_is_one_action_nothing_is_learnt_and_nothing_breaks(algorithm, tmp_path):
    env = TextChoiceEnv(["a", "b"], np.array([[1.0], [-1.0]], dtype=np.float32), 8, shuffle=True)
    env.observe = lambda: {"features": env.rows[:, None].astype(np.float32)}
    policy = ActorCritic(FeatureEncoder(1), ChoiceHead(64, (1,)), column="features")
    before = [parameter.detach().clone() for parameter in policy.actor_parameters()]
    history = learnt(policy, algorithm, env, tmp_path, iterations=2, n_steps=1, weight_decay=0)
    assert all(np.isfinite(list(row.values())).all() for row in history)
    for old, new in zip(before, policy.actor_parameters(), strict=True):
        torch.testing.assert_close(new.cpu(), old)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_goes_on_along_the_same_curve_after_a_kill(algorithm, tmp_path):
    def kill(iteration: int, *_) -> None:
        if iteration == 2:
            raise InterruptedError

    critic = {"normalize_reward": True} if algorithm in {"ppo", "a2c", "trpo"} else {}
    options = {"iterations": 4, "n_steps": 4, "kl_coef_target": 0.001, "kl_coef": 0.1, "dropout": 0.1, **critic}

    def run(folder, report=lambda *_: None):
        torch.manual_seed(0)
        policy = ActorCritic(FeatureEncoder(1, normalize=True), ChoiceHead(64, (2,)), column="features")
        return learnt(policy, algorithm, streams(), folder, report=report, **options), policy

    whole, policy = run(tmp_path / "whole")
    with pytest.raises(InterruptedError):
        run(tmp_path / "killed", kill)
    resumed, again = run(tmp_path / "killed")
    keys = whole[0].keys() - {"states_per_second"}
    assert [{k: row[k] for k in keys} for row in resumed] == [{k: row[k] for k in keys} for row in whole]
    for one, other in zip(policy.state().values(), again.state().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_episodes_that_go_on_begin_anew_after_a_kill_and_tell_no_return_before_one_has_ended(tmp_path):
    def run(folder, kill_at: int | None = None):
        def kill(iteration: int, *_) -> None:
            if iteration == kill_at:
                raise InterruptedError

        torch.manual_seed(0)
        env, policy = GymnasiumEnv("Counting-v0", 4), counting_policy(0.0)
        options = {"iterations": 4, "n_steps": 2, "fresh_episodes": False, "kl_coef": 0}
        return learnt(policy, "ppo", env, folder, report=kill, **options)

    whole = run(tmp_path / "whole")  # 8 steps: the first episodes of 5 end in the third iteration
    assert [row.get("train_return") for row in whole] == [None, None, LIMIT, LIMIT]
    resumed = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        with pytest.raises(InterruptedError):
            run(folder, kill_at=2)
        resumed.append([(row["loss"], row.get("train_return")) for row in run(folder)])
    assert resumed[0] == resumed[1]
    assert [told for _, told in resumed[0]] == [None] * 4  # begun anew, they are four steps long now
    assert "begin anew after a kill" in str(PPOSettings.model_fields["fresh_episodes"].description)


def streams() -> StoppingEnv:
    chance = np.random.default_rng(0)
    columns = [chance.normal(size=(3, 16, length)).astype(np.float32) for length in (2, 3, 4)]
    shown, act, wait = ([each for part in columns for each in part[at]] for at in range(3))
    return StoppingEnv([each[:, None] for each in shown], act, wait, 16, shuffle=True)


def learnt(policy, algorithm, env, folder, *, report=lambda *_: None, **options):
    own = {"num_generations": 4} if algorithm in {"reinforce", "grpo"} else {}
    small = {} if algorithm == "a2c" else {"batch_size": 16}
    base = {"algorithm": algorithm, "n_envs": env.num_envs, "patience": 10, **own, **small, **options}
    settings = load_settings({"rl": base}).rl
    reference = copy.deepcopy(policy).requires_grad_(False).eval()
    learner = Learner(
        policy, ON_POLICY[algorithm](env, settings, reference), settings, validate=lambda _: 0.0, folder=folder,
        fingerprint="", seed=0, report=report,
    )  # fmt: skip
    return learner.run()
