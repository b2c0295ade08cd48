"""One reward: what the environment pays is what the tables say that training and decisions are made by."""

from itertools import product

import numpy as np
import pytest
import torch

from apps.customer_service.data import Article
from apps.customer_service.environment import ACTIONS, ASK_BACK, CANDIDATES, DECLINE, HAND_OVER, customers
from apps.customer_service.rewards import FIXED_ACTIONS, REWARD, RewardWithFollowUp, Truth, outcome, truth_of
from apps.customer_service.task import CustomerService
from core.envs.observations import count
from core.training.settings import load_settings
from core.util.errors import SteerError

WEIGHTS = {
    "right_answer": 0.9, "wrong_answer": -1.4, "ask_back": -0.25, "right_hand_over": 0.8, "needless_hand_over": -0.3,
    "right_decline": 0.7, "wrong_decline": -1.1, "right_small_talk": 0.6, "wrong_small_talk": -0.9,
    "small_talk_hand_over": -0.8, "customer_left": -0.6, "length": -0.01,
}  # fmt: skip
ORDERS = Article(id="a1", title="Orders", body="Six words stand in this body.", intent="orders")
RETURNS = Article(id="a2", title="Returns", body="A long body.", intent="returns", template="Send it back.")


@pytest.fixture(scope="module")
def task():
    """Every weight differs from every other, so that no two outcomes are taken for each other."""
    overrides = [f"rewards.{name}={weight}" for name, weight in WEIGHTS.items()]
    return CustomerService(load_settings(CustomerService.presets["quick"], overrides=overrides))


@pytest.mark.parametrize(
    ("asked", "action", "truth", "expected"),
    [
        (0, ORDERS, Truth(wants="answer", intents=frozenset(["orders", "returns"])), "right_answer"),
        (0, ORDERS, Truth(wants="answer", intents=frozenset(["returns"])), "wrong_answer"),
        (0, ORDERS, Truth(wants="answer", intents=frozenset(["orders"]), vague=True), "wrong_answer"),
        (1, ORDERS, Truth(wants="answer", intents=frozenset(["orders"]), vague=True), "right_answer"),
        (0, ORDERS, Truth(wants="person", intents=frozenset(["orders"])), "wrong_answer"),
        (0, ORDERS, Truth(wants="nothing"), "wrong_answer"),
        (0, "ask_back", Truth(wants="nothing"), "ask_back"),
        (1, "ask_back", Truth(wants="answer", vague=True), "ask_back"),
        (2, "ask_back", Truth(wants="answer", vague=True), "customer_left"),
        (0, "hand_over", Truth(wants="person"), "right_hand_over"),
        (2, "hand_over", Truth(wants="answer"), "needless_hand_over"),
        (0, "hand_over", Truth(wants="nothing"), "needless_hand_over"),
        (1, "decline", Truth(wants="nothing"), "right_decline"),
        (0, "decline", Truth(wants="answer"), "wrong_decline"),
        (0, "decline", Truth(wants="person"), "wrong_decline"),
        (0, "thanks", Truth(wants="small_talk", intents=frozenset(["thanks", "goodbye"])), "right_small_talk"),
        (1, "goodbye", Truth(wants="small_talk", intents=frozenset(["thanks", "goodbye"])), "right_small_talk"),
        (0, "greeting", Truth(wants="small_talk", intents=frozenset(["thanks"])), "wrong_small_talk"),
        (0, "greeting", Truth(wants="answer", intents=frozenset(["orders"])), "wrong_small_talk"),
        (0, "acknowledgement", Truth(wants="answer", vague=True), "wrong_small_talk"),
        (0, "thanks", Truth(wants="small_talk", intents=frozenset(["thanks"]), vague=True), "wrong_small_talk"),
        (1, "thanks", Truth(wants="small_talk", intents=frozenset(["thanks"]), vague=True), "right_small_talk"),
        (0, "hand_over", Truth(wants="small_talk", intents=frozenset(["greeting"])), "small_talk_hand_over"),
        (0, "decline", Truth(wants="small_talk", intents=frozenset(["about_bot"])), "wrong_decline"),
        (0, ORDERS, Truth(wants="small_talk", intents=frozenset(["greeting"])), "wrong_answer"),
    ],
)
def test_what_comes_of_an_action_is_paid_by_its_name(asked, action, truth, expected):
    assert outcome(asked, action, truth) == expected
    paid = REWARD.with_weights(dict.fromkeys(WEIGHTS, 0.0) | {expected: 3.0})
    assert paid(asked, action, truth) == 3.0


def test_the_length_of_an_answer_costs_nothing_unless_one_wants_it_to():
    truth, long_answer, short_answer = Truth(wants="answer", intents=frozenset(["orders", "returns"])), ORDERS, RETURNS
    assert REWARD(0, long_answer, truth) == REWARD(0, short_answer, truth) == 1.0
    brief = REWARD.with_weights({"length": -0.1})
    assert brief(0, long_answer, truth) == pytest.approx(1.0 - 0.6)
    assert brief(0, short_answer, truth) == pytest.approx(1.0 - 0.3)  # the short reply is what the customer reads
    assert brief(0, "hand_over", Truth(wants="person")) == 1.0


def test_an_unknown_reward_is_refused():
    with pytest.raises(SteerError, match=r"unknown reward 'kindness'; there are right_answer, .*, length"):
        CustomerService(load_settings({}, overrides=["rewards.kindness=1"]))


@pytest.mark.parametrize("asked", [0, 1])
def test_the_environment_pays_for_every_customer_and_action_what_the_table_says(task, asked):
    env = task.environment("validation")
    every = customers(task.data, "validation")
    table = task.rewards_of(every, asked, task.maker.states([who.messages[: asked + 1] for who in every]))
    for action in range(ACTIONS):
        env.reset(seed=0)
        for _ in range(asked):
            env.step(np.full((env.num_envs, 1), ASK_BACK))
        _, paid, *_ = env.step(np.full((env.num_envs, 1), action))
        np.testing.assert_array_equal(paid, table[:, action], err_msg=f"action {action}")


class UniformPolicy:
    """Takes every action equally often."""

    def logits(self, states):
        return torch.full((count(states), ACTIONS), 1 / ACTIONS).log()


def test_training_climbs_what_the_environment_pays_and_what_asking_leads_to(task):
    states, values = task.action_values()
    table = values(UniformPolicy())
    every = customers(task.data, "train")
    vague = [at for at, customer in enumerate(every) if customer.vague]
    first = task.maker.states([customer.messages[:1] for customer in every])
    second = task.maker.states([customer.messages[:2] for customer in every])
    assert states["text"] == (*first["text"], *(second["text"][at] for at in vague))
    others = [at for at in range(ACTIONS) if at != ASK_BACK]
    paid, then = task.rewards_of(every, 0, first), task.rewards_of(every, 1, second)
    np.testing.assert_array_equal(table[: len(every), others], paid[:, others])
    # After a question back comes an action of the policy; after a second one, a hand-over.
    then[:, ASK_BACK] = WEIGHTS["ask_back"] + then[:, HAND_OVER]
    expected = WEIGHTS["ask_back"] + then.mean(axis=1)
    np.testing.assert_allclose(table[: len(every), ASK_BACK], expected, rtol=1e-5)
    np.testing.assert_allclose(table[len(every) :], then[vague] / ACTIONS, rtol=1e-5)


def test_the_cost_optimal_table_pays_what_the_environment_would_pay_such_a_customer(task):
    states = task.maker.states([customer.messages[:1] for customer in customers(task.data, "train")[:40]])
    table = task.reward_table(states)
    assert table.shape == (40, ACTIONS, ACTIONS)
    for row, right in product(range(40), (0, CANDIDATES - 1, HAND_OVER, DECLINE, ASK_BACK, ACTIONS - 1)):
        actions = task.maker.actions(states["candidates"][row])
        for number, action in enumerate(actions):
            expected = task.reward(0, action, truth_of(actions[right]))
            if action == "ask_back":
                expected += WEIGHTS["right_answer" if right == ASK_BACK else "needless_hand_over"]
            assert table[row, right, number] == pytest.approx(expected)


def test_the_right_action_is_the_best_one_whatever_is_right(task):
    reward = RewardWithFollowUp(task.reward.terms, task.reward.weights)
    actions = [ORDERS, RETURNS, *FIXED_ACTIONS]
    table = reward.table(0, actions, [truth_of(action) for action in actions])
    assert table.argmax(axis=1).tolist() == list(range(len(actions)))
