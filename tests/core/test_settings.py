"""Settings: each algorithm has its own, and whoever gives a wrong one is told what to write instead."""

from typing import get_args

import pytest
import yaml

from core.models.settings import EncoderSettings
from core.rl.ppo import PPOSettings
from core.rl.supervised import SupervisedSettings
from core.training.loader import open_task
from core.training.run import Run
from core.training.settings import AlgorithmSettings, Settings, load_settings
from core.util.errors import SteerError
from tests.core.bandit import Bandit

# As a run of the first version left them: the keys of all algorithms, under their old names.
OLDER = {
    "supervised": {"iterations": 3, "micro_batch": None, "schedule": "cosine", "warmup": 0.2, "clip_norm": 2.0},
    "rl": {
        "algorithm": "all_action", "iterations": 4, "entropy": 0.2, "kl": 0.3, "kl_target": None, "clip_norm": 3.0,
        "gamma": 1.0, "gae_lambda": 0.95, "clip_range": 0.2, "clip_range_high": None, "value_weight": 0.5, "group": 8,
        "cg_steps": 10, "damping": 0.1, "weight_clip": 10.0, "weight_floor": 0.0, "environments": 128, "steps": 3,
        "epochs": 2, "normalise_advantages": True,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["rl.clip=0.3"], r"there is no setting rl\.clip; did you mean rl\.clip_range\?"),
        (["rl.algorithm=trpo", "rl.max_kl=0.3"], r"there is no setting rl\.max_kl; did you mean rl\.target_kl\?"),
        (["encoder.pool=cls"], r"there is no setting encoder\.pool; did you mean encoder\.pooling\?"),
        (["supervised.lr=0.1"], r"there is no setting supervised\.lr; there are iterations, .*learning_rate"),
        (["linear.algorithm=ppo"], r"there is no setting linear\.algorithm; there are iterations, "),
        (["reward.right=2"], r"there is no setting reward; did you mean rewards\?"),
        (["rl.algorithm=[1]"], r"rl\.algorithm: \[1\] is none of ppo, a2c, trpo"),
        (["rl.iterations=[1"], r"the value of override 'rl\.iterations=\[1' is not YAML"),
        (["rl.algorithm=sarsa"], r"rl\.algorithm: 'sarsa' is none of ppo, a2c, trpo"),
        (["supervised.learning_rate=-1"], r"supervised\.learning_rate: .*greater than 0"),
        (["rl.gamma=2"], r"rl\.gamma: .*less than or equal to 1 \(got 2\)"),
        (
            ["rl.algorithm=a2c", "rl.clip_range=0.1"],
            r"rl\.clip_range belongs to ppo, reinforce, grpo; rl\.algorithm is a2c: remove it, or set rl\.algorithm=p",
        ),
        (["rl.num_generations=4"], r"rl\.num_generations belongs to reinforce, grpo, all_pick; rl\.algorithm is ppo"),
        (["rl.algorithm=a2c", "rl.batch_size=8"], r"rl\.batch_size belongs to ppo, trpo"),
        (["rl.kl=0.1"], r"rl\.kl is called rl\.kl_coef now"),
        (["rl.normalise_rewards=true"], r"rl\.normalise_rewards is called rl\.normalize_reward now"),
        (["linear.micro_batch=2"], r"linear\.micro_batch is called linear\.micro_batch_size now"),
        (
            ["rl.algorithm=grpo", "rl.n_envs=16", "rl.num_generations=7"],
            r"rl: n_envs \(16\) must be a multiple of num_generations \(7\): set n_envs=14",
        ),
        (["rl.n_envs=1", "rl.n_steps=1"], r"n_envs \(1\) times n_steps \(1\) is one: raise n_steps, or set normalize"),
        (["rl.batch_size=8", "rl.micro_batch_size=16"], r"micro_batch_size \(16\) is a part of batch_size \(8\)"),
        (["rl.kl_coef=0", "rl.kl_coef_target=0.1"], r"kl_coef_target \(0\.1\) adapts kl_coef, which is 0"),
        (
            ["rl.algorithm=off_policy", "rl.is_weight_min=20"],
            r"is_weight_min \(20\.0\) exceeds is_weight_max \(10\.0\)",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_the_remedy(overrides, message):
    with pytest.raises(SteerError, match=message):
        load_settings({}, overrides=overrides)


def test_a_foreign_key_in_the_users_file_is_an_error_too(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("rl:\n  algorithm: trpo\n  vf_coef: 0.3\n")
    with pytest.raises(SteerError, match=r"rl\.vf_coef belongs to ppo, a2c; rl\.algorithm is trpo"):
        load_settings({}, file)


def test_what_a_preset_says_to_another_algorithm_than_the_chosen_one_is_left_out():
    preset = {"rl": {"algorithm": "grpo", "num_generations": 4, "n_envs": 8, "iterations": 7}}
    chosen = load_settings(preset, overrides=["rl.algorithm=ppo"]).rl
    assert isinstance(chosen, PPOSettings)
    assert (chosen.n_envs, chosen.iterations) == (8, 7)
    assert preset["rl"]["num_generations"] == 4  # the preset itself is left as it was


def test_a_preset_that_contradicts_itself_is_an_error():
    with pytest.raises(SteerError, match=r"rl\.clip_range belongs to"):
        load_settings({"rl": {"algorithm": "a2c", "clip_range": 0.1}})


def test_a_run_of_older_settings_still_opens(tmp_path):
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(OLDER))
    opened = open_task(Bandit, Run(tmp_path)).settings
    assert opened.rl.algorithm == "all_action"
    assert (opened.rl.ent_coef, opened.rl.kl_coef, opened.rl.max_grad_norm) == (0.2, 0.3, 3.0)
    assert (opened.supervised.lr_scheduler_type, opened.supervised.warmup_ratio) == ("cosine", 0.2)
    again = load_settings(OLDER, overrides=["rl.algorithm=off_policy", "rl.is_weight_max=1"])
    assert (again.rl.is_weight_max, again.rl.is_weight_min, again.rl.n_steps) == (1, 0, 3)


def test_settings_that_a_run_writes_read_back_equal():
    for algorithm in get_args(AlgorithmSettings):
        settings = Settings(rl=algorithm(iterations=3))
        assert load_settings(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize("section", [Settings, EncoderSettings, SupervisedSettings, *get_args(AlgorithmSettings)])
def test_every_setting_is_described_by_a_sentence_of_its_own(section):
    for name, field in section.model_fields.items():
        if name != "algorithm":
            assert field.description is not None, name
            assert field.description[0].isupper(), name
            assert field.description.endswith("."), name
