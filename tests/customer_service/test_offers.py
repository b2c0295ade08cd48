"""Customers pick what they meant among the articles that a question back offers."""

import numpy as np
import pytest

from apps.customer_service.data import NO_ARTICLE, Article
from apps.customer_service.environment import ASK_BACK, CANDIDATES, Customer, customers, offers
from apps.customer_service.rewards import OFFERED
from apps.customer_service.task import CustomerService
from core.training.settings import load_settings
from tests.customer_service.test_workspace import library


def article(number: int, intent: str) -> Article:
    return Article(id=str(number), title=f"Title {number}", body="Words.", intent=intent)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """A bot that has articles alone, so that its customers are made of their words."""

    class Library(CustomerService):
        workspace = library(tmp_path_factory.mktemp("library") / "it")

    return Library(load_settings(CustomerService.presets["articles"]))


def test_the_first_article_of_each_of_three_intents_is_offered():
    shown = [article(number, intent) for number, intent in enumerate("aababcd")]
    assert [each.id for each in offers(shown)] == ["0", "2", "5"]


@pytest.mark.parametrize(("picks", "intent", "said"), [(True, "b", "Title 1"), (True, "c", "m2"), (False, "b", "m2")])
def test_who_knows_the_article_picks_it_where_it_is_offered(picks, intent, said):
    who = Customer(messages=("m1", "m2", "m3"), intents=frozenset([intent]), wants="answer", picks=picks)
    assert who.reply(("m1",), [article(0, "a"), article(1, "b")]) == ("m1", said)
    assert who.reply(("m1", "Title 1"), []) == ("m1", "Title 1", "m3")


def test_made_customers_pick_mostly_and_customers_of_a_log_never(task):
    made = [who for who in customers(task.data, "train") if who.wants == "answer" and not who.vague]
    assert 0.4 < np.mean([who.picks for who in made]) < 1
    logged = customers(CustomerService(load_settings(CustomerService.presets["quick"])).data, "train")
    assert not any(who.picks for who in logged)


def test_after_a_question_back_the_environment_says_what_was_picked(task):
    everybody = customers(task.data, "train")
    env = task.environment("train")
    states, _ = env.reset(seed=0)
    asked, *_ = env.step(np.full((env.num_envs, 1), ASK_BACK))
    picked = 0
    for slot, row in enumerate(env.rows):
        who = env.customers[row]
        titles = [each.title for each in task.maker.offered(states["candidates"][slot]) if each.intent in who.intents]
        newest = asked["text"][slot].split(" [SEP] ")[0]
        assert newest == (titles[0] if who.picks and titles else who.messages[1])
        picked += bool(who.picks and titles)
    assert 0 < picked < len(everybody)


def test_who_has_picked_finds_nothing_else(task):
    question = "how long may I keep a book"
    [before] = task.maker.states([(question,)])["candidates"]
    for picked in task.maker.offered(before):
        states = task.maker.states([(question, picked.title)])
        assert [action for action in task.maker.actions(states["candidates"][0]) if isinstance(action, Article)] == [
            picked, *[NO_ARTICLE] * (CANDIDATES - 1),
        ]  # fmt: skip
        assert states["features"][0, 0].any()
        assert not states["features"][0, 1:, :-1].any()
    title = task.maker.offered(before)[1].title
    assert (task.maker.states([(title,)])["candidates"] >= 0).sum() > 1  # who begins with it may mean another


def test_asking_is_worth_more_where_the_right_article_is_among_those_offered(task):
    states = task.maker.states([who.messages[:1] for who in customers(task.data, "train")])
    table = task.reward_table(states)
    share = np.mean([who.picks for who in customers(task.data, "train") if who.wants == "answer" and not who.vague])
    weights = task.reward.weights
    alone = weights["ask_back"] + weights["needless_hand_over"]
    picked = alone + share * (weights["right_answer"] - weights["needless_hand_over"])
    for row, candidates in enumerate(states["candidates"]):
        shown = [each.intent for each in task.maker.offered(candidates)]
        assert len(shown) == OFFERED
        for option, number in enumerate(candidates[candidates >= 0]):
            is_shown = task.maker.knowledge.article(int(number)).intent in shown
            assert table[row, option, ASK_BACK] == pytest.approx(picked if is_shown else alone)
