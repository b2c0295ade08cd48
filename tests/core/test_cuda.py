"""A GPU learns what the CPU learns; these tests run where there is one."""

import copy

import numpy as np
import pytest
import torch

from core.envs.play import play
from core.rl.algorithm import Algorithm
from core.rl.all_action import AllAction
from core.rl.learner import Learner
from core.rl.supervised import Supervised
from core.training.run import Run, trained_policy
from core.training.train import train
from tests.core.bandit import Bandit, settings

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
PRECISE = ("encoder.precision=fp32", "supervised.dropout=0", "rl.dropout=0")


def quiet(*_):
    pass


def learnt_gradients(algorithm: Algorithm, policy, device: str) -> dict[str, np.ndarray]:
    """Gradients of one batch, computed on a device."""
    policy = copy.deepcopy(policy).to(device)
    gradients = {}

    def step(batch):
        loss, metrics = algorithm.loss(policy, batch.to(device))
        loss.backward()
        for name, parameter in policy.named_parameters():
            if parameter.grad is not None:
                gradients.setdefault(name, parameter.grad.cpu().numpy())
        return metrics

    next(iter(algorithm.updates(policy, 0, step)))
    return gradients


@pytest.mark.parametrize("stage", ["supervised", "rl"])
def test_gradients_on_the_gpu_are_those_of_the_cpu(stage):
    task = Bandit(settings("rl.algorithm=all_action", *PRECISE))
    torch.manual_seed(0)
    policy = task.policy()
    algorithm = (
        Supervised(task.demonstrations("train"), task.settings.supervised)
        if stage == "supervised"
        else AllAction(*task.action_values(), task.settings.rl, copy.deepcopy(policy))
    )
    on_gpu = learnt_gradients(algorithm, policy, "cuda")
    on_cpu = learnt_gradients(algorithm, policy, "cpu")
    assert on_gpu.keys() == on_cpu.keys()
    for name, expected in on_cpu.items():
        np.testing.assert_allclose(on_gpu[name], expected, rtol=1e-2, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("algorithm", ["ppo", "trpo", "all_action"])
def test_what_a_gpu_learns_is_served_by_a_cpu(tmp_path, algorithm):
    task, run = Bandit(settings(f"rl.algorithm={algorithm}", *PRECISE)), Run(tmp_path)
    train(task, run, quiet, quiet)
    on_cpu = trained_policy(task, run)
    assert on_cpu.device.type == "cpu"
    on_gpu = copy.deepcopy(on_cpu).cuda()
    environment = task.environment("test")
    assert (on_cpu.predict(environment.states) == on_gpu.predict(environment.states)).all()
    assert play(environment, on_gpu.predict).returns.mean() >= 0.75  # chance is -1/3


def test_a_run_that_began_on_a_gpu_is_resumed_on_it_as_if_it_had_not_stopped(tmp_path):
    class StoppedError(Exception):
        pass

    def learner(folder):
        task = Bandit(settings("supervised.iterations=4", *PRECISE))
        torch.manual_seed(0)
        policy = task.policy()
        validation = task.environment("validation")
        return Learner(
            policy,
            Supervised(task.demonstrations("train"), task.settings.supervised),
            task.settings.supervised,
            validate=lambda trained: float(play(validation, trained.predict).returns.mean()),
            folder=folder,
            fingerprint="same",
            seed=0,
            report=quiet,
        )

    whole = learner(tmp_path / "whole")
    whole.run()
    stopped = learner(tmp_path / "stopped")

    def stop(done, *_):
        if done == 2:
            raise StoppedError

    stopped.report = stop
    with pytest.raises(StoppedError):
        stopped.run()
    resumed = learner(tmp_path / "stopped")
    resumed.run()
    for (name, expected), found in zip(whole.kept.named_parameters(), resumed.kept.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6, msg=name)
