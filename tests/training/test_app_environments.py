"""The apps' environments keep Gymnasium's and Stable-Baselines3's rules, and show what they say they show."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common import env_checker
from transformers import AutoTokenizer

from core.envs.observations import count
from core.envs.single import LastTokens, SingleEnv, TextToIds
from core.models.weights import DEFAULT_ENCODER, resolve
from core.training.loader import load_task, task_names
from core.training.settings import load_settings
from core.training.task import Task


@pytest.fixture(scope="module", params=task_names())
def task(request) -> Task:
    task_class = load_task(request.param)
    return task_class(load_settings(task_class.presets["quick"]))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_both_checkers_pass(task):
    text = TextToIds(AutoTokenizer.from_pretrained(resolve(DEFAULT_ENCODER)), 24)
    converters = {"text": text, "history": LastTokens(10_000, 20)}

    def single() -> SingleEnv:
        env = task.environment("train", 1, shuffle=True)
        return SingleEnv(env, {name: converters[name] for name in converters.keys() & env.single_observation_space})

    check_env(single(), skip_render_check=True)
    env_checker.check_env(single())


def test_every_state_lies_in_the_space(task):
    env = task.environment("validation")
    states, _ = env.reset(seed=0)
    for at in range(0, count(states), max(1, count(states) // 200)):
        state = {name: column[at] for name, column in states.items()}
        assert env.single_observation_space.contains(state), state
    for space in (env.action_space, env.single_action_space):
        space.seed(0)
    for actions in (env.action_space.sample(), np.stack([env.single_action_space.sample()] * env.num_envs)):
        _, rewards, terminated, truncated, _ = env.step(actions)
        assert rewards.shape == terminated.shape == truncated.shape == (env.num_envs,)
