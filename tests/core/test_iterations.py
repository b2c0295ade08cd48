"""What the updates of an iteration pass over, in which order, and what a log of decisions notes."""

import numpy as np
import pytest
import torch

from core.envs.stopping import StoppingEnv
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.features import FeatureEncoder
from core.rl.a2c import A2C, A2CSettings
from core.rl.all_action import AllAction, AllActionSettings
from core.rl.grpo import GRPO, GRPOSettings
from core.rl.off_policy import LoggedDecisions, OffPolicy, OffPolicySettings, log_decisions
from core.rl.ppo import PPO, PPOSettings
from core.rl.reinforce import Reinforce, ReinforceSettings
from core.rl.rollout import Rollout
from core.rl.supervised import Demonstrations, Supervised, SupervisedSettings


def waiting(num_envs: int, *, shuffle: bool = False) -> StoppingEnv:
    """Streams of three moments; whoever waits is paid 1 each time, and whoever acts 0 and is done."""
    pay = np.ones(3, dtype=np.float32)
    streams = [np.full((3, 1), at, dtype=np.float32) for at in range(12 if shuffle else num_envs)]
    return StoppingEnv(streams, [0 * pay] * len(streams), [pay] * len(streams), num_envs, shuffle=shuffle)


def chooser() -> ActorCritic:
    torch.manual_seed(0)
    return ActorCritic(FeatureEncoder(1), ChoiceHead(64, (2,)), column="features")


STEPS = {"n_envs": 4, "n_steps": 3}


@pytest.mark.parametrize(
    "algorithm",
    [
        Supervised(
            Demonstrations({"features": np.arange(12)[:, None]}, np.eye(12, dtype=np.float32)),
            SupervisedSettings(batch_size=5),
        ),
        AllAction(
            {"features": np.arange(12)[:, None]}, lambda policy: np.zeros((12, 3)), AllActionSettings(batch_size=5)
        ),
        OffPolicy(
            LoggedDecisions(
                {"features": np.arange(12)[:, None]},
                torch.zeros(12, 1, dtype=torch.long),
                torch.zeros(12, 1),
                torch.zeros(12),
            ),
            OffPolicySettings(batch_size=5),
        ),
    ],
    ids=["supervised", "all_action", "off_policy"],
)
def test_an_iteration_is_one_pass_over_all_rows_in_an_order_that_its_seed_decides(algorithm):
    def order(seed: int) -> list[list[int]]:
        seen: list[list[int]] = []

        def step(batch) -> dict[str, float]:
            seen.append(batch.observations["features"][:, 0].tolist())
            return {"at": len(seen)}

        assert list(algorithm.updates(chooser(), seed, step)) == [{"at": 1}, {"at": 2}, {"at": 3}]
        return seen

    first = order(0)
    assert sorted(row for batch in first for row in batch) == list(range(12))
    assert sorted(map(len, first)) == [2, 5, 5]
    assert order(0) == first != order(1)
    assert algorithm.updates_per_iteration() == 3


@pytest.mark.parametrize(("kl", "updates"), [(0.03, 6), (0.0300001, 1)])
def test_ppo_ends_an_iteration_once_the_policy_has_moved_by_half_as_much_again_as_its_target(kl, updates):
    algorithm = PPO(waiting(4), PPOSettings(**STEPS, batch_size=4, n_epochs=2, target_kl=0.02, kl_coef=0))
    assert algorithm.updates_per_iteration() == 6
    assert list(algorithm.updates(chooser(), 0, lambda batch: {"approx_kl": kl})) == [{"approx_kl": kl}] * updates


def test_grpo_counts_the_batches_of_all_its_passes():
    settings = GRPOSettings(**STEPS, batch_size=6, n_epochs=3, num_generations=2)
    assert GRPO(waiting(4), settings).updates_per_iteration() == 6


def test_ppo_without_a_target_never_ends_early():
    algorithm = PPO(waiting(4), PPOSettings(**STEPS, batch_size=5, n_epochs=3, target_kl=None, kl_coef=0))
    assert len(list(algorithm.updates(chooser(), 0, lambda batch: {"approx_kl": 9.0}))) == 9


@pytest.mark.parametrize(
    ("algorithm", "settings", "batches"),
    [
        (A2C, A2CSettings(**STEPS), 1),
        (PPO, PPOSettings(**STEPS, batch_size=5, n_epochs=2), 6),
        (GRPO, GRPOSettings(**STEPS, batch_size=100, n_epochs=3, num_generations=2), 3),
        (Reinforce, ReinforceSettings(**STEPS, batch_size=100, num_generations=2), 1),
    ],
)
def test_an_iteration_passes_over_its_rollout_and_is_repeated_by_its_seed(algorithm, settings, batches):
    def advantages(seed: int) -> list[list[float]]:
        seen: list[list[float]] = []

        def step(batch: Rollout) -> dict[str, float]:
            seen.append(batch.advantages[:, 0].tolist())
            return {"approx_kl": 0.0}

        made = algorithm(waiting(4), settings)
        assert list(made.updates(chooser(), seed, step)) == [{"approx_kl": 0.0}] * batches
        assert made.updates_per_iteration() == batches
        return seen

    assert advantages(0) == advantages(0) != advantages(5)


def test_reinforce_normalizes_advantages_if_told_so():
    for normalize in (True, False):
        settings = ReinforceSettings(**STEPS, num_generations=2, normalize_advantage=normalize, batch_size=100)
        rollout = Reinforce(waiting(4), settings).collect_rollouts(chooser(), 1)
        advantages = rollout.advantages[rollout.mask]
        assert (advantages.std().item() == pytest.approx(1.0, abs=1e-5)) is normalize
        assert (set(advantages.tolist()) <= {-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, -3.0}) is not normalize


def test_a_log_notes_what_a_policy_did_with_its_probability_and_the_pay_of_each_step():
    policy = chooser()
    log_made = log_decisions(policy, waiting(4), n_steps=3, seed=0)
    assert len(log_made) == 12
    torch.testing.assert_close(log_made.log_propensities, policy.log_prob(log_made.observations, log_made.actions))
    torch.testing.assert_close(log_made.rewards, 1.0 - log_made.actions[:, 0].float())


def test_a_seed_decides_what_a_log_is_of_and_what_is_done():
    def log_of(seed: int) -> tuple[list, list]:
        made = log_decisions(chooser(), waiting(4, shuffle=True), n_steps=3, seed=seed)
        return made.observations["features"][:, 0].tolist(), made.actions[:, 0].tolist()

    assert log_of(0) == log_of(0)
    states_of, actions_of = zip(*(log_of(seed) for seed in range(3)), strict=True)
    assert len({tuple(each) for each in states_of}) == len({tuple(each) for each in actions_of}) == 3
