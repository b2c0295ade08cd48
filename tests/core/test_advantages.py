import torch

from core.rl.advantages import generalized_advantages


def test_advantages_follow_the_definition_step_by_step():
    torch.manual_seed(0)
    steps, environments, gamma, lam = 5, 3, 0.9, 0.8
    rewards, values = torch.randn(steps, environments, 1), torch.randn(steps, environments, 1)
    ends = torch.rand(steps, environments) < 0.3
    last = torch.randn(environments)
    advantages, returns = generalized_advantages(rewards, values, ends, last, gamma, lam)
    for e in range(environments):
        for t in range(steps):
            expected, weight = 0.0, 1.0
            for k in range(t, steps):
                following = last[e] if k == steps - 1 else values[k + 1, e, 0]
                expected += weight * (rewards[k, e, 0] + gamma * following * (~ends[k, e]) - values[k, e, 0])
                if ends[k, e]:
                    break
                weight *= gamma * lam
            assert torch.isclose(advantages[t, e, 0], torch.as_tensor(expected), atol=1e-5)
    assert torch.allclose(returns, advantages + values)


def test_the_picks_of_a_list_are_steps_in_time():
    rewards = torch.tensor([[[1.0, 2.0, 3.0]]])
    advantages, _ = generalized_advantages(rewards, 0 * rewards, torch.ones(1, 1, dtype=bool), torch.ones(1), 1.0, 1.0)
    assert advantages.tolist() == [[[6.0, 5.0, 3.0]]]
