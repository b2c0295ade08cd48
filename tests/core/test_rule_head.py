"""A policy that is the best known rule until it learns to be better."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from core.evaluation.comparison import Comparison
from core.evaluation.cost_optimal import fit_temperatures, minimum_expected_cost
from core.models.rule_head import Correction, RuleHead, calibrated, expected_rewards, rule_probabilities
from core.rl.supervised import Demonstrations
from core.training.evaluate import compare
from core.training.run import Run, trained_policy
from core.training.stages import ResidualRL, WarmStart
from core.training.train import train
from tests.core.bandit import Bandit, settings
from tests.folders import temporary_folder

ACTIONS, WIDTH = 4, 6


class Given(nn.Module):
    """Logits that are given: the state itself."""

    def forward(self, state, observations):
        return state


def rule_head(table) -> RuleHead:
    torch.manual_seed(0)
    return RuleHead(Given(), lambda observations: table, Correction(ACTIONS))


def test_the_expected_reward_is_the_mean_over_what_may_be_right():
    beliefs = torch.tensor([[0.5, 0.3, 0.2]])
    table = np.array([[1, 0, -1], [0, 2, 0], [-3, 0, 1]], dtype=np.float32)
    torch.testing.assert_close(expected_rewards(beliefs, table), torch.tensor([[-0.1, 0.6, -0.3]]))
    torch.testing.assert_close(expected_rewards(beliefs, table[None]), torch.tensor([[-0.1, 0.6, -0.3]]))
    two = expected_rewards(beliefs, table[:2])  # the third is never right: the others share what it was given
    torch.testing.assert_close(two, torch.tensor([[0.625, 0.75, -0.625]]))


def test_an_untrained_correction_leaves_the_rule_as_it_is():
    states = torch.randn(50, ACTIONS, generator=torch.Generator().manual_seed(1))
    table = np.random.default_rng(2).normal(size=(ACTIONS, ACTIONS)).astype(np.float32)
    head = rule_head(table)
    head.running_temperature.fill_(1.7)
    chosen = head(states, {}).argmax(-1, keepdim=True).numpy()
    np.testing.assert_array_equal(chosen, minimum_expected_cost(states.log_softmax(-1), table, 1.7))


def test_the_rule_alone_does_what_an_untrained_head_does():
    states = torch.tensor([[0.2, float("-inf"), 1.0, 0.1], [3.0, 0.0, 0.0, -1.0]])
    table = np.random.default_rng(2).normal(size=(ACTIONS, ACTIONS)).astype(np.float32)
    alone = rule_probabilities(states.softmax(-1), table)
    torch.testing.assert_close(alone, rule_head(table)(states, {}).softmax(-1))
    assert alone[0, 1] == 0


def test_each_factor_of_a_joint_choice_is_calibrated_by_itself():
    topic, mood = torch.tensor([[0.1, 0.9]]), torch.tensor([[0.2, 0.3, 0.5]])
    joint = (topic.unsqueeze(-1) * mood.unsqueeze(-2)).flatten(1).log()
    torch.testing.assert_close(calibrated(joint, torch.ones(2), (2, 3)), joint)
    found = calibrated(joint + 4.0, torch.tensor([1.0, 2.0]), (2, 3)).exp().reshape(2, 3)
    torch.testing.assert_close(found.sum(1), topic[0])
    torch.testing.assert_close(found.sum(0), mood[0].sqrt() / mood[0].sqrt().sum())


def test_temperatures_are_fitted_to_what_is_right_of_each_factor():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3000, 2, generator=generator), torch.randn(3000, 3, generator=generator)
    drawn = [torch.multinomial(each.softmax(-1), 1, generator=generator)[:, 0] for each in logits]
    targets = torch.eye(6)[drawn[0] * 3 + drawn[1]].numpy()
    stated = [logits[0] * 2.0, logits[1] * 0.5]  # too sure of the first, too little of the second
    joint = (stated[0].unsqueeze(-1) + stated[1].unsqueeze(-2)).flatten(1)
    found = fit_temperatures(joint, Demonstrations({}, targets), (2, 3))
    torch.testing.assert_close(found, torch.tensor([2.0, 0.5]), rtol=0.1, atol=0)


def test_two_actions_are_enough():
    head = RuleHead(Given(), lambda observations: np.array([[1, 0], [-3, 0]], dtype=np.float32), Correction(2))
    assert head(torch.tensor([[0.7, 0.3], [0.99, 0.01]]).log(), {}).argmax(-1).tolist() == [1, 0]


def test_what_is_not_there_is_never_chosen_and_poisons_no_gradient():
    states = torch.tensor([[0.2, float("-inf"), 1.0, 0.1]])
    head = rule_head(np.eye(ACTIONS, dtype=np.float32))
    logits = head(states, {})
    assert logits[0, 1] == float("-inf")
    logits.softmax(-1)[0, 0].backward()
    gradients = [parameter.grad for parameter in head.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_features_of_candidates_reach_the_correction_of_each_action():
    torch.manual_seed(0)
    correction = Correction(ACTIONS, features=2)
    nn.init.normal_(correction.network[2].weight)
    log_beliefs = torch.full((1, ACTIONS), 0.25).log()
    plain, changed = np.zeros((1, 3, 2), dtype=np.float32), np.zeros((1, 3, 2), dtype=np.float32)
    changed[0, 1] = 1.0
    before, after = (correction(log_beliefs, torch.zeros(1, ACTIONS), {"features": each}) for each in (plain, changed))
    assert (before != after).tolist() == [[False, True, False, False]]


class OverRule(Bandit):
    def stages(self):
        return WarmStart(), ResidualRL(after="supervised")


@pytest.fixture(scope="module", params=["all_action", "ppo", "off_policy"])
def trained(request, tmp_path_factory) -> Iterator[tuple[OverRule, Run]]:
    changes = ["supervised.iterations=2", "rl.iterations=2", f"rl.algorithm={request.param}"]
    task = OverRule(settings(*changes))
    with temporary_folder(tmp_path_factory, "runs") as folder:
        run = Run(folder / request.param)
        train(task, run, lambda *_: None, lambda *_: None)
        yield task, run


def test_rl_begins_as_the_rule_and_reads_beliefs_without_changing_them(trained):
    task, run = trained
    supervised, improved = trained_policy(task, run, "supervised"), trained_policy(task, run)
    states, _ = task.environment("test").reset(seed=0)
    belief = {f"head.belief.{name}": tensor for name, tensor in supervised.head.state_dict().items()}
    state = improved.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in belief.items())
    assert all(torch.equal(state[f"encoder.{name}"], each) for name, each in supervised.encoder.state_dict().items())
    begun = ResidualRL().begin(task, supervised)
    rule = task.cost_optimal(trained_policy(task, run, "supervised"))
    np.testing.assert_array_equal(begun.predict(states), rule(states))


def test_a_policy_over_a_rule_reads_each_text_once(trained):
    task, run = trained
    policy = trained_policy(task, run)
    states, _ = task.environment("test").reset(seed=0)
    before = policy.logits(states)
    with torch.no_grad():
        for parameter in policy.encoder.parameters():
            parameter.zero_()
    assert torch.equal(policy.logits(states), before)


def test_a_saved_policy_decides_as_the_trained_one_and_is_no_worse_on_validation_than_the_rule(trained):
    task, run = trained
    comparison: Comparison = compare(task, run, "validation")
    assert comparison.played["rl"].returns.mean() >= comparison.played["cost_optimal"].returns.mean()
