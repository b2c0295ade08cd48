"""A reward is written once, as named terms, and everything else is derived from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rewards.reward import Reward
from core.util.errors import SteerError


def len_of(state, action, truth):
    return len(action)


REWARD: Reward[int, str, str] = Reward(
    {
        "right": lambda asked, action, truth: action == truth,
        "late": lambda asked, action, truth: asked,
        "length": lambda asked, action, truth: len(action),
    },
    {"right": 2.0, "late": -0.5, "length": 0.0},
)


def test_an_action_is_worth_the_weighted_sum_of_the_terms():
    assert REWARD(3, "yes", "yes") == 2.0 - 1.5
    assert REWARD(3, "no", "yes") == -1.5
    assert REWARD.parts(3, "no", "yes") == {"right": False, "late": 3, "length": 2}


def test_what_does_not_count_is_not_worked_out():
    def broken(*_):
        raise AssertionError("a term of weight 0")

    assert Reward({"broken": broken, "length": len_of}, {"broken": 0.0, "length": 0.5})(3, "yes", "no") == 1.5


def test_where_nothing_counts_each_action_is_worth_nothing():
    nothing = Reward({"many": lambda state, action, truth: np.ones((2, 3)), "none": len_of}, {"many": 0.0, "none": 0.0})
    assert nothing(3, "yes", "no").tolist() == [[0.0] * 3] * 2


def test_settings_change_the_weights_that_they_name_and_no_others():
    changed = REWARD.with_weights({"length": -0.1, "right": 1.0})
    assert changed.weights == {"right": 1.0, "late": -0.5, "length": -0.1}
    assert changed(2, "yes", "yes") == pytest.approx(1.0 - 1.0 - 0.3)
    assert REWARD.weights == {"right": 2.0, "late": -0.5, "length": 0.0}


def test_a_weight_that_no_term_has_is_named_beside_those_that_there_are():
    with pytest.raises(SteerError, match="unknown reward 'beauty'; there are right, late, length"):
        REWARD.with_weights({"speed": 1.0, "right": 1.0, "beauty": 1.0})


def test_a_class_of_its_own_stays_one_with_other_weights():
    class Doubled(Reward[int, str, str]):
        def __call__(self, state, action, truth):
            return 2 * super().__call__(state, action, truth)

    doubled = Doubled(REWARD.terms, REWARD.weights).with_weights({"late": 0.0})
    assert doubled(9, "yes", "yes") == 4.0


def test_a_table_holds_a_row_for_each_truth_and_a_column_for_each_action():
    table = REWARD.table(2, ["yes", "no", "maybe"], ["no", "yes"])
    assert table.tolist() == [[-1.0, 1.0, -1.0], [1.0, -1.0, -1.0]]
    assert table.dtype == np.float32
    assert REWARD.table(2, ["yes"], []).shape == (0, 1)


@given(
    asked=st.integers(0, 5),
    actions=st.lists(st.sampled_from(["yes", "no", "maybe"]), max_size=4),
    truths=st.lists(st.sampled_from(["yes", "no"]), max_size=4),
    weights=st.fixed_dictionaries({name: st.integers(-3, 3).map(float) for name in REWARD.terms}),
)
def test_every_cell_of_a_table_is_what_the_reward_says(asked, actions, truths, weights):
    reward = REWARD.with_weights(weights)
    table = reward.table(asked, actions, truths)
    assert table.shape == (len(truths), len(actions))
    for row, truth in enumerate(truths):
        for column, action in enumerate(actions):
            assert table[row, column] == reward(asked, action, truth)


def test_an_opinion_is_worth_what_lies_between_plainly_wrong_and_plainly_right():
    reward: Reward[float, float, float] = Reward(
        {"sum": lambda state, action, truth: state + action + truth}, {"sum": 2}
    )
    worth = [reward.from_opinion(0.5, 1.0, 2.0, 6.0, value) for value in (-1.0, 0.0, 0.5, 1.0)]
    assert worth == [7.0, 11.0, 13.0, 15.0]
