"""The simulated customer and the retrieval that the bot sees."""

import re

import numpy as np
import pytest

from apps.customer_service.data import SMALL_TALK
from apps.customer_service.environment import ACTIONS, ASK_BACK, CANDIDATES, DECLINE, HAND_OVER, SupportEnv, customers
from apps.customer_service.task import CustomerService
from core.training.settings import load_settings
from core.util.errors import SteerError


@pytest.fixture(scope="module")
def task():
    return CustomerService(load_settings(CustomerService.presets["quick"]))


def act_on(task, wanted, actions):
    """Rewards and outcomes of a fixed sequence of actions on the first validation customer that `wanted` accepts."""
    who = next(customer for customer in customers(task.data, "validation") if wanted(customer))
    env = SupportEnv([who], task.maker, task.reward, num_envs=1, shuffle=False)
    env.reset(seed=0)
    total, outcomes = 0.0, []
    for action in actions:
        _, rewards, ended, _, infos = env.step(np.array([[action]]))
        total += rewards[0]
        outcomes += infos["outcome"]
    return total, outcomes, bool(ended[0])


def test_asking_a_vague_customer_brings_the_need_to_light(task):
    everybody = customers(task.data, "validation")
    vague = next(customer for customer in everybody if customer.vague)
    conversation = next(c for c in task.data.conversations if c.customer[0] == vague.messages[0])
    assert vague.messages[1] == conversation.customer[1]
    states = task.maker.states([vague.messages[:2]])
    assert states["text"][0].index(vague.messages[1]) < states["text"][0].index(vague.messages[0])


def test_a_clear_customer_who_is_asked_back_tells_nothing_new(task):
    clear = [customer for customer in customers(task.data, "validation") if not customer.vague]
    assert clear
    assert all(len(set(customer.messages)) == 1 for customer in clear)


def test_each_outcome_is_worth_what_the_settings_say(task):
    assert act_on(task, lambda c: c.wants == "person", [HAND_OVER])[:2] == (1.0, ["right_hand_over"])
    assert act_on(task, lambda c: c.wants == "nothing", [DECLINE])[:2] == (1.0, ["right_decline"])
    assert act_on(task, lambda c: c.wants == "answer", [DECLINE])[1] == ["wrong_decline"]
    assert act_on(task, lambda c: c.wants == "nothing", [0])[1] == ["wrong_answer"]


@pytest.mark.parametrize("kind", SMALL_TALK)
def test_small_talk_wants_a_word_in_kind(task, kind):
    number = ACTIONS - len(SMALL_TALK) + SMALL_TALK.index(kind)
    assert act_on(task, lambda c: c.intents == {kind}, [number]) == (1.0, ["right_small_talk"], True)
    assert act_on(task, lambda c: c.intents == {kind}, [HAND_OVER])[1] == ["small_talk_hand_over"]
    assert act_on(task, lambda c: c.wants == "answer", [number])[:2] == (-1.0, ["wrong_small_talk"])


def test_who_greets_and_asks_in_one_message_asks(task):
    asked = [c.wants for c in customers(task.data, "train") if re.match("(hi|hello),? .*\\?", c.messages[0], re.I)]
    assert asked.count("answer") > 20
    assert asked.count("small_talk") <= 3  # "hello, anybody there?"


def test_a_customer_who_is_asked_a_third_time_leaves(task):
    reward, outcomes, ended = act_on(task, lambda c: c.wants == "answer" and not c.vague, [ASK_BACK] * 3)
    assert outcomes == ["ask_back", "ask_back", "customer_left"]
    assert ended
    assert reward == pytest.approx(-0.9)


def test_guessing_at_a_vague_message_is_wrong_even_when_lucky(task):
    vague = next(c for c in customers(task.data, "validation") if c.vague and c.wants == "answer")
    for action in range(CANDIDATES):
        assert act_on(task, lambda c: c.messages == vague.messages, [action])[1] == ["wrong_answer"]


def test_an_action_outside_the_space_is_refused(task):
    env = task.environment("validation", 4)
    env.reset(seed=0)
    with pytest.raises(SteerError, match="outside the action space"):
        env.step(np.full((4, 1), ACTIONS))


def test_retrieval_finds_the_right_article_among_the_candidates(task):
    everybody = [c for c in customers(task.data, "validation") if c.wants == "answer" and not c.vague]
    rankings = task.maker.knowledge.rankings([customer.messages[:1] for customer in everybody])
    intents = np.array([article.intent for article in task.maker.knowledge.articles])

    def recall(method: str, k: int) -> float:
        return float(
            np.mean(
                [
                    bool(set(intents[order[:k]]) & customer.intents)
                    for order, customer in zip(rankings[method], everybody, strict=True)
                ]
            )
        )

    assert recall("fused", CANDIDATES) > 0.93
    assert recall("fused", 5) > recall("bm25", 5)


def test_a_logged_question_does_not_find_itself(task):
    knowledge = task.maker.knowledge
    logged = next(u for u in task.data.utterances if u.split == "train" and u.text in knowledge._known)
    found = knowledge.find([(logged.text,)])
    assert found.features[0, :, 1].max() < 0.999


def test_the_newest_message_is_read_however_long_the_earlier_ones_are(task):
    newest = "How do I reset my password?"
    earlier = ("I ordered a lamp for the hall last week. " * 25, "It came in a box with another box inside. " * 25)
    states = task.maker.states([(newest,), (*earlier, newest), earlier])
    encoder = task.policy().encoder
    window = encoder._tokenized(states["text"][1:2])[0]
    assert encoder.tokenizer.decode(window).startswith("[CLS] how do i reset my password? [SEP] it came in a box")
    # Its candidates too are of the newest message: the oldest, not the newest, is what the search leaves out.
    shared = [set(states["candidates"][at]) & set(states["candidates"][0]) for at in (1, 2)]
    assert len(shared[0]) > len(shared[1])


def test_who_repeats_a_message_is_read_as_who_said_it_once(task):
    said, more = "my parcel has not come", "it was due on Monday"
    states = task.maker.states([(said,), (said, said), (said, more, said)])
    assert states["text"] == (said, said, f"{more} [SEP] {said}")
    assert np.array_equal(states["candidates"][0], states["candidates"][1])
    assert np.allclose(states["features"][0, :, :-1], states["features"][1, :, :-1])
    # That one has been asked back is known all the same.
    assert (states["features"][1, :, -1] > states["features"][0, :, -1]).all()
