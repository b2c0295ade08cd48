"""Lists that are relevant and varied: the distribution, the policy's beginning, and the exact gradient of its picks."""

from itertools import permutations

import numpy as np
import pytest
import torch

from core.models.distributions import PlackettLuce
from core.models.diverse_list import DiverseList, DiverseListHead
from core.models.policy import PolicyOutput
from core.rl.all_pick import AllPick, AllPickSettings, ListStates

OPTIONS, PICKS = 4, 2


def lists_of(logits: torch.Tensor, *, weight: float = 1.5, picks: int = PICKS) -> DiverseList:
    chance = torch.Generator().manual_seed(3)
    distances = torch.rand((len(logits), OPTIONS, OPTIONS), generator=chance)
    gains = torch.linspace(1.0, 0.5, picks)
    late, taste = torch.randn((2, len(logits), OPTIONS), generator=chance)
    return DiverseList(logits, distances, gains, torch.full((picks,), weight), late, taste)


def some_logits(rows: int) -> torch.Tensor:
    return torch.randn((rows, OPTIONS), generator=torch.Generator().manual_seed(1))


def test_the_probabilities_of_all_lists_add_up_to_one():
    every = torch.tensor(list(permutations(range(OPTIONS), PICKS)))
    one = lists_of(some_logits(1)).repeated(len(every))
    assert one.log_prob(every).sum(-1).exp().sum().item() == pytest.approx(1.0, abs=1e-5)


def test_lists_are_drawn_as_often_as_their_probability_says():
    drawn_from = lists_of(some_logits(1)).repeated(20_000)
    lists = drawn_from.sample(torch.Generator().manual_seed(0))
    told = drawn_from.log_prob(lists).sum(-1).exp()
    for each in torch.unique(lists, dim=0):
        same = (lists == each).all(-1)
        assert same.float().mean().item() == pytest.approx(told[same][0].item(), abs=0.012)


def test_without_distances_it_is_a_list_without_replacement():
    logits, nothing = some_logits(5), torch.zeros(5, OPTIONS)
    plain = DiverseList(logits, torch.zeros(5, OPTIONS, OPTIONS), torch.ones(3), torch.zeros(3), nothing, nothing)
    actions = torch.tensor([[0, 1, 2], [3, 1, 0], [2, 0, 1], [1, 3, 2], [0, 3, 1]])
    torch.testing.assert_close(plain.log_prob(actions), PlackettLuce(logits, 3).log_prob(actions))
    assert torch.equal(plain.mode(), PlackettLuce(logits, 3).mode())


def test_what_is_not_there_is_never_picked_and_poisons_no_gradient():
    logits = some_logits(6).requires_grad_()
    gapped = lists_of(logits.masked_fill(torch.tensor([False, True, False, False]), float("-inf")), picks=3)
    lists, log_probs = gapped.draw(torch.Generator().manual_seed(0))
    assert not (lists == 1).any()
    log_probs.gather(-1, lists.unsqueeze(-1)).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_a_list_of_fewer_options_than_picks_holds_them_all():
    assert sorted(lists_of(some_logits(1), picks=6).mode()[0].tolist()) == [0, 1, 2, 3]


def test_an_untrained_head_scores_by_the_first_feature_alone():
    features = np.random.default_rng(0).normal(size=(3, OPTIONS, 5)).astype(np.float32)
    candidates = np.array([[0, 1, 2, 3]] * 3)
    candidates[0, 2] = -1
    logits = DiverseListHead(5, sharpness=7.0, trade_off=1.0)(
        torch.zeros(3, 1), {"features": features, "candidates": candidates}
    )
    assert logits[0, 2] == float("-inf")
    np.testing.assert_allclose(logits[1:].detach().numpy(), 7.0 * features[1:, :, 0], rtol=1e-5)


def test_the_gradient_of_picks_is_that_of_the_expected_reward_of_all_lists():
    """In the mean over many draws, it is the gradient that counting over every possible list gives."""
    logits = some_logits(1).requires_grad_()
    every = torch.tensor(list(permutations(range(OPTIONS), PICKS)))
    first, second = np.random.default_rng(2).random(OPTIONS), np.random.default_rng(5).random((OPTIONS, OPTIONS))

    def rewards(rows: np.ndarray, lists: np.ndarray) -> np.ndarray:
        return np.stack([np.tile(first, (len(rows), 1)), second[lists[:, 0]]], axis=1).astype(np.float32)

    worth = torch.from_numpy(first[every[:, 0]] + second[every[:, 0], every[:, 1]]).float()
    (lists_of(logits).repeated(len(every)).log_prob(every).sum(-1).exp() * worth).sum().backward()
    exact, logits.grad = logits.grad, None

    algorithm = AllPick({"features": np.zeros((1, 1))}, rewards, AllPickSettings(kl_coef=0, ent_coef=0))
    torch.manual_seed(0)
    times = 20_000
    many = ListStates({"features": np.zeros((times, 1))}, np.zeros(times, dtype=int))
    loss, _ = algorithm.loss(lambda _: PolicyOutput(lists_of(logits).repeated(times), torch.zeros(1)), many)
    loss.backward()
    torch.testing.assert_close(-logits.grad, exact, atol=0.004, rtol=0.05)
