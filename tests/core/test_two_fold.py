"""Two policies in one: each learns from one half of the data and is asked about the other."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from core.data.splits import halves_of
from core.training.run import Run, trained_policy
from core.training.stages import CrossFit, ResidualRL, WarmStart
from core.training.task import Task
from core.training.train import train
from core.util.errors import SteerError
from tests.core.bandit import Bandit, settings
from tests.folders import temporary_folder

SHORT = ("supervised.iterations=6", "supervised.patience=6", "rl.iterations=2", "rl.algorithm=all_action")


class CrossFitted(Bandit):
    def stages(self):
        return WarmStart(), CrossFit(), ResidualRL()


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Iterator[tuple[CrossFitted, Run]]:
    task = CrossFitted(settings(*SHORT))
    with temporary_folder(tmp_path_factory, "runs") as folder:
        run = Run(folder / task.name)
        train(task, run, lambda *_: None, lambda *_: None)
        yield task, run


def learnt_from(policy, demonstrations) -> list[set[str]]:
    """Names of the trained tensors that each demonstration has a gradient for."""
    found = []
    for row in range(len(demonstrations)):
        policy.zero_grad()
        state = {"text": (demonstrations.observations["text"][row],)}
        policy.train()(state).distribution.log_probs[0, 0].backward()
        grown = {name for name, each in policy.named_parameters() if each.grad is not None and each.grad.any()}
        found.append({name.split("both.")[1].split(".")[0] for name in grown})
    return found


def test_each_text_teaches_the_policy_that_is_not_asked_about_it():
    task = CrossFitted(settings())
    demonstrations = task.demonstrations("train")
    half = task.halves(demonstrations.observations["text"])
    policy = CrossFit().fresh_policy(task)
    assert learnt_from(policy, demonstrations) == [{"0"} if second else {"1"} for second in half]
    policy.encoder.freeze()  # whoever learns from its beliefs asks the other one, while training too
    assert learnt_from(policy, demonstrations) == [{"1"} if second else {"0"} for second in half]


def test_a_batch_of_one_half_leaves_no_parameter_without_a_gradient():
    task = CrossFitted(settings())
    policy = CrossFit().fresh_policy(task).train()
    policy({"text": ("the striker scored twice",)}).distribution.log_probs.sum().backward()
    assert all(each.grad is not None for each in policy.actor_parameters())


def test_states_come_back_in_their_order(trained):
    task, run = trained
    policy = trained_policy(task, run, "crossfit")
    states = task.demonstrations("train").observations
    alone = torch.cat([policy.logits({"text": (text,)}) for text in states["text"]])
    torch.testing.assert_close(policy.logits(states), alone, atol=1e-4, rtol=1e-4)


def test_beliefs_about_what_is_learnt_on_are_as_unsure_as_about_what_is_new(trained):
    task, run = trained
    seen, new = (task.demonstrations(split) for split in ("train", "test"))

    def sureness(stage, demonstrations):
        log_probs = trained_policy(task, run, stage).logits(demonstrations.observations)
        return float((torch.tensor(demonstrations.targets) * log_probs.exp()).sum(-1).mean())

    by_heart = sureness("supervised", seen) - sureness("supervised", new)
    honest = sureness("crossfit", seen) - sureness("crossfit", new)
    assert honest < by_heart / 2


def test_what_is_published_holds_one_policy_with_the_correction(trained):
    task, run = trained
    supervised, served = trained_policy(task, run, "supervised"), trained_policy(task, run)
    of_belief = {name.removeprefix("belief.") for name in served.head.state_dict() if name.startswith("belief.")}
    assert of_belief == set(supervised.head.state_dict())
    assert "0" not in {each.name for each in (run.model("rl") / "encoder").iterdir()}


def test_halves_are_the_same_in_every_process_and_about_as_large():
    texts = [f"message {number}" for number in range(1000)]
    half = halves_of(texts)
    assert half[:8].tolist() == [True, False, False, True, True, False, True, True]
    assert 0.4 < half.mean() < 0.6
    assert halves_of(np.arange(4.0)[:, None]).shape == (4,)


def test_a_task_whose_policy_does_not_choose_says_so(monkeypatch):
    monkeypatch.setattr(Bandit, "policy", lambda self, frozen=False: torch.nn.Linear(1, 1))
    with pytest.raises(SteerError, match="bandit has no policy that chooses"):
        CrossFit().fresh_policy(CrossFitted(settings()))
    assert Task.halves(CrossFitted(settings()), ("a", "b")).dtype == bool
