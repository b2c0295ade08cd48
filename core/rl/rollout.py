"""What every algorithm reads: states, what was done in them, and what came of it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations, join, take
from core.models.policy import ActorCritic
from core.rl.advantages import generalized_advantages


@dataclass
class Rollout:
    """Rows of experience; a row is one state and the picks made in it (1 for a choice, more for a list).

    Attributes:
        observations: the states.
        actions: int64 of shape (rows, picks).
        log_probs: of each pick when it was made, float32 of shape (rows, picks).
        advantages, returns: of each pick, float32 of shape (rows, picks).
        reference_log_probs: of every option under the reference policy, (rows, options); None without one.
        episode_returns: undiscounted returns of the episodes that ended.
    """

    observations: Observations
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor
    reference_log_probs: Tensor | None
    episode_returns: np.ndarray

    def rows(self, at: np.ndarray) -> "Rollout":
        """Some of the rows."""
        reference = None if self.reference_log_probs is None else self.reference_log_probs[at]
        return Rollout(
            take(self.observations, at),
            self.actions[at],
            self.log_probs[at],
            self.advantages[at],
            self.returns[at],
            reference,
            self.episode_returns,
        )


@torch.no_grad()
def collect(
    policy: ActorCritic,
    env: EpisodeEnv,
    *,
    steps: int,
    seed: int,
    gamma: float,
    gae_lambda: float,
    reference: ActorCritic | None = None,
) -> Rollout:
    """Let `policy` act for `steps` steps in every environment, from fresh episodes on.

    Args:
        policy: acts by sampling.
        env: is reset with `seed`, so a rollout depends on nothing before it.
        steps: of each environment.
        seed: of everything random.
        gamma: discount.
        gae_lambda: of the generalized advantage estimate.
        reference: policy whose log-probabilities are noted for a KL penalty.
    """
    policy.eval()
    generator = torch.Generator(device=policy.critic.weight.device).manual_seed(seed)
    observations, _ = env.reset(seed=seed)
    states, actions, log_probs, values, rewards, ends = [], [], [], [], [], []
    running, episode_returns = np.zeros(env.num_envs), []
    for _ in range(steps):
        output = policy(observations)
        picks = output.distribution.sample(generator)
        states.append(observations)
        actions.append(picks.cpu())
        log_probs.append(output.distribution.log_prob(picks).cpu())
        values.append(output.values.cpu())
        observations, reward, ended, _, infos = env.step(picks.cpu().numpy())
        pick_rewards = infos.get("pick_rewards", reward[:, None])
        rewards.append(torch.as_tensor(pick_rewards, dtype=torch.float32))
        ends.append(torch.as_tensor(ended))
        running += reward
        episode_returns += running[ended].tolist()
        running[ended] = 0
    advantages, returns = generalized_advantages(
        torch.stack(rewards),
        torch.stack(values),
        torch.stack(ends),
        policy(observations).values[:, 0].cpu(),
        gamma,
        gae_lambda,
    )
    everything = join(states)
    return Rollout(
        everything,
        torch.cat(actions),
        torch.cat(log_probs),
        advantages.flatten(0, 1),
        returns.flatten(0, 1),
        reference.logits(everything) if reference is not None else None,
        np.array(episode_returns),
    )
