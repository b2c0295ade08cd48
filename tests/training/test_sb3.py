"""Stable-Baselines3 trains a BERT-class policy on a task of ours as the page says, and stops when it gets no better."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from core.envs.gymnasium_env import GymnasiumEnv
from core.envs.play import play
from core.envs.single import SingleEnv
from core.envs.text_choice import TextChoiceEnv
from core.training.sb3 import StopWithoutImprovement, act_of
from tests.training.conftest import page_code


class FirstLetter:
    """A text as the number of its first letter, for a model that is small and quick."""

    space = spaces.Box(0, 25, (1,), np.int64)

    def __call__(self, value: str) -> np.ndarray:
        return np.array([ord(value[0]) - ord("a")])


COLUMNS = {"text": FirstLetter()}
TEXTS = ["apple", "zebra", "anchor", "zoo"]
REWARDS = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)


def letters(num_envs: int, rewards: np.ndarray = REWARDS, *, shuffle: bool = False) -> TextChoiceEnv:
    return TextChoiceEnv(TEXTS, rewards, num_envs, shuffle=shuffle)


def training_env(rewards: np.ndarray = REWARDS) -> VecNormalize:
    vector = DummyVecEnv([lambda: SingleEnv(letters(1, rewards, shuffle=True), COLUMNS) for _ in range(4)])
    return VecNormalize(vector, norm_obs=False, gamma=0.0)


def earned(model: PPO) -> float:
    return play(letters(4), act_of(model, COLUMNS)).returns.mean()


@pytest.fixture(scope="module")
def script(saved) -> Path:
    folder = saved("labels-and-costs").parent
    file = folder / "train_sb3.py"
    file.write_text(page_code("stable-baselines3"), encoding="utf-8")
    return file


@pytest.mark.parametrize(("algorithm", "kind"), [("ppo", PPO), ("a2c", A2C), ("dqn", DQN)])
def test_the_page_trains_keeps_and_loads_a_pretrained_encoder(script, capsys, algorithm, kind):
    runpy.run_path(str(script))["main"](algorithm, 160)
    said = capsys.readouterr().out
    assert "    0 steps: validation reward" in said
    assert "test reward" in said
    weights = kind.load(script.with_name(f"{algorithm}.zip"), device="cpu").policy.state_dict()
    assert any(name.endswith("encoder.layer.5.output.dense.weight") for name in weights)
    assert script.with_name(f"{algorithm}.normalize.pkl").is_file()


def test_training_ends_when_the_validation_reward_no_longer_rises(tmp_path):
    model = PPO("MultiInputPolicy", training_env(), n_steps=8, batch_size=32, learning_rate=1e-9, gamma=0.0, seed=0)
    stop = StopWithoutImprovement(letters(4), COLUMNS, tmp_path / "best.zip", every=32, patience=3)
    model.learn(10_000, callback=stop)
    assert len(stop.history) == 4  # before any step, and three that were no better
    assert model.num_timesteps < 200


def test_the_best_model_is_kept_though_training_goes_on_to_spoil_it(tmp_path):
    rates = {"learning_rate": 0.01, "ent_coef": 0.1, "gamma": 0.0}  # without entropy it would never try to be wrong
    model = PPO("MultiInputPolicy", training_env(), n_steps=16, batch_size=32, seed=0, **rates)
    model.learn(1_000)
    assert earned(model) == 1.0
    wrong = training_env(1 - REWARDS)  # from now on the wrong answers are paid
    wrong.seed(0)
    model.set_env(wrong)
    stop = StopWithoutImprovement(letters(4), COLUMNS, tmp_path / "best.zip", every=64, patience=100)
    model.learn(3_000, callback=stop)
    assert earned(model) < 1.0
    assert earned(PPO.load(tmp_path / "best.zip", device="cpu")) == max(stop.history.values()) == 1.0


def test_the_running_scale_of_rewards_survives_saving_and_observations_are_left_alone(tmp_path):
    env = training_env()
    PPO("MultiInputPolicy", env, n_steps=16, batch_size=32, seed=0).learn(128)
    env.save(str(tmp_path / "normalize.pkl"))
    again = VecNormalize.load(str(tmp_path / "normalize.pkl"), training_env().venv)
    assert again.ret_rms.var == env.ret_rms.var != 1.0
    assert set(again.reset()["text"].ravel()) <= {0, 25}  # letters, not measurements


def test_columns_that_are_boxes_already_are_taken_as_they_are():
    poles = GymnasiumEnv("CartPole-v1", 3)
    states, _ = poles.reset(seed=0)
    model = PPO("MultiInputPolicy", DummyVecEnv([lambda: SingleEnv(GymnasiumEnv("CartPole-v1", 1))]), n_steps=8)
    actions = act_of(model, {})(states)
    assert actions.shape == (3, 1)
    assert set(actions.ravel()) <= {0, 1}
