"""The pages about one's own task work as they stand: each task is trained, evaluated and published."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from core.platform.pages.task_app import Asked, TaskEngine
from core.platform.versions.library import VERSIONS
from core.rl.explore import Explorer
from core.training.loader import load_task, open_task
from core.training.run import Run
from tests.training.conftest import steer

WORDS = "<end> you work in a bicycle shop reply to the customer one short sentence thank can come today ? . ,".split()  # noqa: SIM905


def walk(file: Path, *overrides: str) -> dict[str, dict]:
    """Train, evaluate and publish a task as its page says; the figures by policy."""
    runs = file.parent / "runs"
    settings = [part for override in overrides for part in ("--set", override)]
    assert "done in" in steer("train", str(file), "--runs", str(runs), *settings)
    figures = file.parent / "figures.json"
    steer("evaluate", str(file), "--runs", str(runs), "--json", str(figures))
    assert "v0001" in steer("models", "publish", str(file), "--runs", str(runs))
    task_class = load_task(str(file))
    assert task_class.data_card in (runs / task_class.name / "README.md").read_text()
    results = json.loads(figures.read_text())["results"]
    return {name.removeprefix(f"{task_class.name}."): values for name, values in results.items()}


def served(file: Path, **inputs: object) -> object:
    """What `steer serve` would answer to JSON values, by the published version."""
    folder = file.parent / "runs" / VERSIONS / load_task(str(file)).name / "v0001"
    task = open_task(load_task(str(file)), Run(folder))
    [decided] = TaskEngine(task, Run(folder)).decide([Asked(inputs, Explorer())])
    return decided.action


def test_labels_and_costs_from_a_csv(saved):
    file = saved("labels-and-costs")
    results = walk(file, "linear.iterations=8")
    assert set(results) == {"initial", "linear", "supervised", "cost_optimal", "rl"}
    assert results["rl"]["value"] >= 0.5  # a person is worth 0, a mistake -2
    assert served(file, text="the chain of my bike broke") == "workshop"


@pytest.mark.parametrize("overrides", [(), ("rl.algorithm=grpo", "rl.n_steps=1", "rl.n_envs=48")], ids=["ppo", "grpo"])
def test_rewards_without_labels(saved, overrides):
    file = saved("rewards")
    results = walk(file, "rl.iterations=25", *overrides)
    assert set(results) == {"always_apologise", "initial", "rl"}
    assert results["rl"]["value"] > results["initial"]["value"]
    assert results["rl"]["value"] > results["always_apologise"]["value"]
    assert served(file, text="the chain that you fitted broke again") in {"discount", "repair", "apology"}


def test_several_turns(saved):
    file = saved("turns")
    results = walk(file)
    assert set(results) == {"always_workshop", "ask_once_then_workshop", "initial", "rl"}
    assert results["rl"]["value"] > max(results["initial"]["value"], results["always_workshop"]["value"])
    assert served(file, text="hello") in {"ask", "website", "workshop"}
    assert "- right: " in (file.parent / "runs" / "conversations" / "README.md").read_text()


def test_a_log_of_decisions_alone(saved):
    file = saved("log")
    results = walk(file, "rl.iterations=8")
    assert set(results) == {"logging", "best_action", "reward_model", "initial", "rl"}
    assert results["rl"]["value"] > results["logging"]["value"]
    assert results["rl"]["off_policy"]["snips"]["value"] > results["logging"]["high"]
    assert 0 < results["rl"]["off_policy"]["effective_sample_size"] < 128  # decisions of the test split
    assert "doubly robust" in (file.parent / "runs" / "from_the_log" / "README.md").read_text()
    assert served(file, text="my rear brake squeals") == "workshop"


@pytest.mark.parametrize("overrides", [(), ("rl.algorithm=trpo",)], ids=["ppo", "trpo"])
def test_a_policy_of_ones_own(saved, overrides):
    file = saved("own-policy")
    results = walk(file, *overrides)
    assert set(results) == {"always_english", "initial", "rl"}
    assert results["rl"]["value"] > max(results["initial"]["value"], results["always_english"]["value"])
    assert served(file, text="quand ouvrez-vous demain") == "french"
    assert served(file, text="when will my bike be ready") == "english"


@pytest.fixture(scope="module")
def small_writer(tmp_path_factory) -> Path:
    """A tiny causal language model of random weights, in the format of a real one."""
    folder = tmp_path_factory.mktemp("writer")
    words = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="a"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", pad_token="<end>")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), eos_token_id=0, pad_token_id=0, **shape)).save_pretrained(
        folder
    )
    return folder


def test_a_causal_language_model(saved, small_writer):
    file = saved("language-model")
    tiny = (f"encoder.name={small_writer}", "rl.learning_rate=0.02", "rl.kl_coef=0", "rl.patience=20")
    results = walk(file, *tiny)
    assert set(results) == {"initial", "rl"}
    assert results["rl"]["value"] > results["initial"]["value"]
    reply = served(file, message="My chain keeps falling off.")
    assert isinstance(reply, str)
    assert set(reply.split()) <= set(WORDS)


def test_an_action_without_a_label_is_named_by_its_number_and_a_list_by_its_items(saved):
    task_class = load_task(str(saved("rewards")))
    task = object.__new__(task_class)
    assert task.describe_action(np.array([1])) == "repair"
    assert task.describe_action(np.array([2, 0])) == ["apology", "discount"]
    task.action_labels = ()
    assert task.describe_action(np.array([1])) == 1
