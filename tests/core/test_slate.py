import numpy as np
import pytest
from gymnasium import spaces

from core.envs.observations import count
from core.envs.play import play
from core.envs.slate import SlateEnv
from core.models.distributions import PlackettLuce
from core.util.errors import SteerError

EPISODES, OPTIONS, PICKS = 7, 6, 3


def worth(rows, lists):
    """Each position is worth its option, halved from position to position, plus the episode."""
    return (lists * 0.5 ** np.arange(PICKS) + rows[:, None]).astype(np.float32)


def slate(num_envs=EPISODES, *, shuffle=False, **changes) -> SlateEnv:
    states = {"number": np.arange(EPISODES, dtype=np.int64)}
    arguments = {"options": OPTIONS, "picks": PICKS, "reward_fn": worth, "num_envs": num_envs, "shuffle": shuffle}
    return SlateEnv(states, spaces.Dict({"number": spaces.Discrete(EPISODES)}), **(arguments | changes))


def test_the_rewards_of_the_positions_sum_to_the_reward_of_the_list():
    env = slate()
    env.reset(seed=0)
    lists = np.tile([5, 1, 2], (EPISODES, 1))
    _, rewards, ended, cut, infos = env.step(lists)
    assert infos["pick_rewards"].shape == (EPISODES, PICKS)
    np.testing.assert_allclose(infos["pick_rewards"][4], [9.0, 4.5, 4.5])
    np.testing.assert_allclose(rewards, infos["pick_rewards"].sum(axis=1))
    assert ended.all()
    assert not cut.any()


def test_a_list_may_not_hold_an_option_twice():
    env = slate()
    env.reset(seed=0)
    with pytest.raises(SteerError, match="twice"):
        env.step(np.tile([5, 1, 5], (EPISODES, 1)))


def test_a_list_must_have_the_right_length_and_known_options():
    env = slate()
    env.reset(seed=0)
    with pytest.raises(SteerError, match="3 picks"):
        env.step(np.tile([5, 1], (EPISODES, 1)))
    with pytest.raises(SteerError, match="outside"):
        env.step(np.tile([5, 1, OPTIONS], (EPISODES, 1)))
    with pytest.raises(SteerError, match="cannot be made"):
        slate(picks=OPTIONS + 1)


def test_sampled_lists_are_drawn_without_replacement_and_accepted():
    torch = pytest.importorskip("torch")
    env = slate()
    env.reset(seed=0)
    for seed in range(20):
        lists = PlackettLuce(torch.zeros(EPISODES, OPTIONS), PICKS).sample(torch.Generator().manual_seed(seed)).numpy()
        assert all(len(set(row)) == PICKS for row in lists.tolist())
        env.step(lists)


def test_equal_seeds_give_equal_passes_and_other_seeds_others():
    def visited(seed: int) -> list[int]:
        env = slate(2, shuffle=True)
        env.reset(seed=seed)
        return [int(row) for _ in range(6) for row in env.step(np.tile([0, 1, 2], (2, 1)))[4]["episode"]]

    assert visited(3) == visited(3)
    assert visited(3) != visited(4)
    assert sorted(visited(3)[:EPISODES]) == list(range(EPISODES))


def test_a_pass_plays_every_episode_once_and_names_what_came_of_it():
    env = slate(4, outcomes=lambda rows, lists: [f"row {row}" for row in rows])
    played = play(env, lambda states: np.tile([0, 1, 2], (count(states), 1)))
    assert played.outcomes == [f"row {row}" for row in range(EPISODES)]
    np.testing.assert_allclose(played.returns, 1.0 + 3.0 * np.arange(EPISODES))


def test_states_and_lists_lie_in_the_spaces():
    env = slate(1)
    states, _ = env.reset(seed=0)
    assert env.single_observation_space.contains({"number": states["number"][0]})
    assert env.single_action_space.contains(np.array([5, 1, 2]))
    assert not env.single_action_space.contains(np.array([5, 1, OPTIONS]))
    assert not env.single_action_space.contains(np.array([5, 1, 5]))


def test_whatever_the_spaces_draw_is_a_list():
    env = slate(4)
    env.reset(seed=0)
    env.action_space.seed(1)
    drawn = [env.action_space.sample() for _ in range(200)]
    assert all(env.action_space.contains(lists) for lists in drawn)
    assert set(np.concatenate(drawn)[:, 0]) == set(range(OPTIONS))
    for lists in drawn:
        env.step(lists)
    with pytest.raises(SteerError, match="mask"):
        env.single_action_space.sample(mask=(np.ones(OPTIONS, dtype=np.int8),))


def test_a_space_draws_the_same_lists_again_for_the_same_seed():
    one, other = slate(4).action_space, slate(4).action_space
    one.seed(3)
    other.seed(3)
    np.testing.assert_array_equal(one.sample(), other.sample())
    assert one == other
    assert one != slate(3).action_space
