import itertools
import math

import torch

from core.models.distributions import Categorical, PlackettLuce


def test_list_probabilities_sum_to_one_over_all_lists():
    lists = torch.tensor(list(itertools.permutations(range(4), 3)))
    logits = torch.tensor([[0.3, -1.0, 2.0, 0.1]]).expand(len(lists), -1)
    total = PlackettLuce(logits, 3).log_prob(lists).sum(-1).exp().sum()
    assert math.isclose(total.item(), 1.0, rel_tol=1e-5)


def test_sampled_lists_have_no_repeats_and_come_with_their_probabilities():
    logits = torch.tensor([[1.0, 0.0, -1.0]]).expand(60_000, -1)
    distribution = PlackettLuce(logits, 2)
    samples = distribution.sample(torch.Generator().manual_seed(0))
    assert (samples[:, 0] != samples[:, 1]).all()
    pair = torch.tensor([[0, 2]])
    expected = PlackettLuce(logits[:1], 2).log_prob(pair).sum().exp()
    share = (samples == pair).all(-1).float().mean()
    assert abs(share - expected) < 0.01


def test_options_that_are_not_on_offer_are_never_drawn_and_leave_gradients_finite():
    logits = torch.tensor([[0.5, float("-inf"), 0.1, -0.2]], requires_grad=True)
    for distribution in (Categorical(logits), PlackettLuce(logits, 2)):
        actions = distribution.sample(torch.Generator().manual_seed(1))
        assert 1 not in actions
        loss = distribution.log_prob(actions).sum() + distribution.entropy().sum()
        (loss + distribution.kl(distribution.log_probs.detach()).sum()).backward()
        assert torch.isfinite(logits.grad).all()


def test_divergence_from_itself_is_zero_and_positive_from_another():
    first, second = Categorical(torch.tensor([[1.0, 0.0]])), Categorical(torch.tensor([[0.0, 1.0]]))
    assert first.kl(first.log_probs).item() == 0
    assert first.kl(second.log_probs).item() > 0.4
