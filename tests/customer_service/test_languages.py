"""Customers who write in another language than the articles', read by the real packaged multilingual encoder."""

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from apps.customer_service.app import app
from apps.customer_service.config import EXAMPLE, SupportConfig
from apps.customer_service.data import OFF_TOPIC, SMALL_TALK
from apps.customer_service.knowledge import CANDIDATES
from apps.customer_service.multilingual import MultilingualBeliefs, are_english, language_of_talk
from apps.customer_service.reading import read_support_data
from apps.customer_service.rewards import FIXED_ACTIONS
from apps.customer_service.texts import act_of
from apps.customer_service.wording import WORDS
from core.data.languages import language_of
from core.platform.apps.opening import open_model
from core.training.feedback import DecisionWithFeedback, Feedback, LoggedDecision
from core.training.run import Run
from core.training.workspace import read_workspace
from testing.foreign_messages import foreign_messages

FOREIGN = [message for split in ("validation", "test") for message in foreign_messages(split)]


@pytest.fixture(scope="module")
def data():
    return read_support_data(read_workspace(EXAMPLE, SupportConfig))


@pytest.fixture(scope="module")
def beliefs(data):
    """What is believed on the shipped desk, and the articles that may answer."""
    articles = [each for each in data.articles if each.intent not in data.hand_over_intents]
    # A third of the messages, and all small talk: the encoder takes its time for each that no cache holds.
    some = [each for at, each in enumerate(data.utterances) if at % 3 == 0 or set(each.intents) & set(SMALL_TALK)]
    return MultilingualBeliefs(replace(data, utterances=some), articles), articles


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("no refund", "en"), ("hmm", "en"), ("ok", "en"), ("HP-48213", "en"), ("???", "en"), ("café table", "en"),
        ("do you have the 福 lamp", "en"), ("how long do i have to send a lamp back", "en"),
        ("rechnung nochmal bitte", "de"), ("ist mein paket schon raus?", "de"), ("Servus!", "de"), ("danke dir", "de"),
        ("退款", "zh"), ("订单HP-48213在哪里", "zh"), ("谢谢", "zh"),
        ("¿Abrís los domingos?", "es"), ("hola", "es"), ("error 51 al pagar", "es"),
        ("tjs pas expédié ??", "fr"), ("d’accord", "fr"), ("mot de passe oublié", "fr"),
        ("где мой заказ HP-48213?", "other"), ("荷物が届きません", "other"),
    ],
)  # fmt: skip
def test_a_few_words_tell_the_language(text, language):
    assert language_of(text) == language


def test_english_messages_are_seldom_taken_for_others(data):
    english = [each.text for each in data.utterances if each.split == "validation"]
    assert sum(language_of(text) != "en" for text in english) < 0.01 * len(english)


def test_a_conversation_goes_on_in_its_language_when_an_english_title_is_picked():
    assert language_of_talk(("Das geht nicht", "A new password")) == "de"
    assert language_of_talk(("it does not work", "A new password")) == "en"


def test_articles_in_another_language_are_told_apart(data):
    assert are_english(data.articles)
    german = {"title": "Ein neues Passwort", "body": "Wählen Sie auf der Anmeldeseite „Passwort vergessen“."}
    assert not are_english([each.model_copy(update=german) for each in data.articles])


def test_the_foreign_messages_cover_every_intent_in_every_language(data):
    assert Counter(each.language for each in FOREIGN) == {"de": 184, "zh": 184, "es": 97, "fr": 97}
    answerable = {article.intent for article in data.articles} - data.hand_over_intents
    known = {intent.intent for intent in data.intents} | {OFF_TOPIC, *SMALL_TALK}
    for language in ("de", "zh", "es", "fr"):
        asked = {intent for each in FOREIGN if each.language == language for intent in each.intents}
        assert answerable <= asked <= known
    assert len({each.text for each in FOREIGN}) == len(FOREIGN)


@pytest.mark.parametrize(
    ("message", "intent"),
    [
        ("Ich habe mein Passwort vergessen", "password_reset"), ("我忘了登录密码怎么办", "password_reset"),
        ("No recuerdo mi contraseña", "password_reset"), ("Quel est le délai pour un retour ?", "return_window"),
        ("退货期限是多少天", "return_window"), ("¿Qué horario tiene la tienda?", "store_hours"),
        ("Wann hat der Laden geöffnet?", "store_hours"), ("Combien coûte la livraison ?", "delivery_cost"),
        ("сколько стоит доставка?", "delivery_cost"),
    ],
)  # fmt: skip
def test_a_question_in_any_language_finds_the_article_and_is_believed_to_be_about_it(beliefs, message, intent):
    reader, articles = beliefs
    believed = reader.of([(message,)])
    first = articles[believed.candidates[0, 0]]
    assert first.intent == intent
    assert believed.beliefs[0].argmax() == 0


def test_candidates_are_of_different_intents_the_likeliest_first_and_beliefs_are_shares(beliefs):
    reader, articles = beliefs
    believed = reader.of([("Wie lange kann ich etwas zurückgeben?",), ("谢谢",)])
    for rows, shares in zip(believed.candidates, believed.beliefs, strict=True):
        assert len({articles[row].intent for row in rows}) == len(rows) == CANDIDATES
        assert (shares[:CANDIDATES].diff() <= 0).all()
        assert 0.9 < shares.sum() <= 1 + 1e-5


def test_a_desk_of_few_articles_has_fewer_candidates(data):
    kept = [each for each in data.articles if each.intent in ("password_reset", "store_hours")]
    asked = [each for each in data.utterances if {"password_reset", "store_hours", "thanks"}.issuperset(each.intents)]
    small = replace(data, utterances=asked, articles=kept, conversations=[])
    believed = MultilingualBeliefs(small, kept).of([("Habt ihr am Sonntag offen?",)])
    assert kept[believed.candidates[0, 0]].intent == "store_hours"
    assert (believed.candidates[0, 2:] == -1).all()
    assert (believed.beliefs[0, 2:CANDIDATES] == 0).all()
    assert believed.beliefs[0].sum() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("message", "act"),
    [("hallo zusammen", "greeting"), ("谢谢", "thanks"), ("adiós", "goodbye"), ("Vous êtes un robot ?", "about_bot"),
     ("我要找真人客服", "hand_over")],
)  # fmt: skip
def test_small_talk_and_the_wish_for_a_person_are_understood_in_other_languages(beliefs, message, act):
    reader, _ = beliefs
    believed = reader.of([(message,)])
    of_fixed = believed.beliefs[0, CANDIDATES:]
    assert FIXED_ACTIONS[of_fixed.argmax()] == act


def test_what_the_bot_says_is_recognised_in_every_language():
    for action, words in WORDS.items():
        assert set(words) == {"en", "zh", "de", "es", "fr"}
        assert {act_of(text) for text in words.values()} == {action}


def test_the_bot_answers_from_an_english_article_with_a_sentence_in_the_customers_language(services):
    def reply(message):
        return asyncio.run(services["customer_service"].reply([], message))

    while reply("Ich habe mein Passwort vergessen").choice is None:  # handed over until the encoder is there
        time.sleep(0.5)
    answer = reply("Ich habe mein Passwort vergessen")
    intro, _, english = answer.text.partition("\n")
    assert answer.action == "answer"
    assert intro == "Dazu steht in unseren Artikeln, auf Englisch:"
    assert english == answer.sources[0].template
    assert answer.sources[0].title == "A new password"
    assert answer.choice.state["language"] == "de"
    assert reply("你好").text == WORDS["greeting"]["zh"]
    assert reply("quiero hablar con una persona").text == WORDS["hand_over"]["es"]
    assert reply("I have forgotten my password").text.startswith(answer.sources[0].template)


def test_a_desk_that_cannot_have_the_encoder_hands_over_in_the_customers_language(runs, tmp_path, monkeypatch):
    service = open_model(app, Run(runs / "customer_service"), apart=False)
    monkeypatch.setenv("STEER_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    async def both():
        return await asyncio.gather(*(service.reply([], text) for text in ("你们几点开门？", "I forgot my password")))

    chinese, english = asyncio.run(both())
    assert (chinese.action, chinese.text) == ("hand_over", WORDS["hand_over"]["zh"])
    assert chinese.confidence is None  # nobody has read it
    assert english.action == "answer"


def test_the_policy_does_not_learn_from_languages_that_it_does_not_read(services):
    task = services["customer_service"].task
    reply = asyncio.run(services["customer_service"].reply([], "I have forgotten my password"))

    def judged(state):
        now = datetime.now(UTC)
        decision = LoggedDecision("d1", state, [reply.choice.action], 1.0, now)
        return [DecisionWithFeedback(decision, (Feedback("amy", "", 1.0, {}, now),))]

    assert task.feedback_decisions(judged(reply.choice.state)) is not None
    assert task.feedback_decisions(judged({**reply.choice.state, "language": "de"})) is None
