"""What a customer wants where an action is right, and what each action is then worth."""

import pytest

from apps.customer_service.data import Article
from apps.customer_service.rewards import MISUNDERSTOOD, REWARD, RewardWithFollowUp, Truth, is_right, truth_of

ORDERS = Article(id="a1", title="Orders", body="Six words stand in this body.", intent="orders")
RETURNS = Article(id="a2", title="Returns", body="A long body.", intent="returns", template="Send it back to us.")


@pytest.mark.parametrize(
    ("action", "truth"),
    [
        (ORDERS, Truth(wants="answer", intents=frozenset({"orders"}))),
        ("hand_over", Truth(wants="person")),
        ("decline", Truth(wants="nothing")),
        ("ask_back", Truth(wants="answer", vague=True)),
        ("goodbye", Truth(wants="small_talk", intents=frozenset({"goodbye"}))),
    ],
)
def test_each_action_has_a_customer_whom_it_serves(action, truth):
    assert truth_of(action) == truth
    assert is_right(0, action, truth) is (action != "ask_back")  # a question back is no answer yet
    for other in (RETURNS, "hand_over", "decline", "greeting", "goodbye"):
        assert is_right(0, other, truth) is (other == action)
        assert not is_right(0, other, MISUNDERSTOOD)


@pytest.mark.parametrize(
    ("asked", "action", "truth", "worth"),
    [
        (0, ORDERS, truth_of(ORDERS), 1.0),
        (0, RETURNS, truth_of(ORDERS), -1.5),
        (0, "hand_over", truth_of("hand_over"), 1.0),
        (0, "hand_over", truth_of(ORDERS), -0.2),
        (0, "decline", truth_of("decline"), 1.0),
        (0, "decline", truth_of("hand_over"), -1.0),
        (0, "thanks", truth_of("thanks"), 1.0),
        (0, "thanks", truth_of("greeting"), -1.0),
        (0, "hand_over", truth_of("thanks"), -1.0),
        (1, "ask_back", truth_of(ORDERS), -0.2),
        (2, "ask_back", truth_of(ORDERS), -0.5),
    ],
)
def test_an_outcome_is_paid_as_shipped(asked, action, truth, worth):
    assert REWARD(asked, action, truth) == worth


def test_an_answers_length_is_that_of_its_short_reply_where_it_has_one():
    priced = REWARD.with_weights({"length": -0.01})
    assert priced(0, ORDERS, truth_of(ORDERS)) == pytest.approx(1.0 - 0.06)
    assert priced(0, RETURNS, truth_of(RETURNS)) == pytest.approx(1.0 - 0.05)
    assert priced(0, "decline", truth_of("decline")) == 1.0


def test_a_question_back_is_paid_with_what_it_leads_to():
    followed = RewardWithFollowUp(REWARD.terms, REWARD.weights)
    assert followed(0, "ask_back", truth_of("ask_back")) == pytest.approx(-0.2 + 1.0)
    assert followed(0, "ask_back", truth_of(ORDERS)) == pytest.approx(-0.2 - 0.2)
    assert followed(0, ORDERS, truth_of(ORDERS)) == 1.0
    assert followed(0, "decline", truth_of(ORDERS)) == -1.0
