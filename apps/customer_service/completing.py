"""Completes what a workspace holds: questions about its articles, and what the customers of any company write."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from apps.customer_service.data import (
    HAND_OVER_GROUP,
    OFF_TOPIC,
    Article,
    Intent,
    LoggedConversation,
    SupportData,
    Utterance,
)
from apps.customer_service.general import general_intents, general_messages, small_talk
from apps.customer_service.questions import made_questions
from core.data.splits import SPLITS, Split

_ENOUGH_MESSAGES = 10
_MESSAGES_A_GENERAL_ONE, _FEWEST_GENERAL_ONES = 2, 10


def completed(
    intents: Sequence[Intent],
    utterances: Sequence[Utterance],
    articles: Sequence[Article],
    conversations: Sequence[LoggedConversation],
) -> SupportData:
    """Data with what they lack.

    Args:
        intents: Intents that the workspace lists; every other intent of an article is added.
        utterances: Messages that customers typed, each with its split; about what they name seldom, questions are made.
        articles: Articles, each with an intent.
        conversations: Past conversations, each with its split.
    """
    intents, utterances, conversations = list(intents), list(utterances), list(conversations)
    listed = {intent.intent for intent in intents}
    for article in articles:
        if article.intent not in listed:
            listed.add(article.intent)
            intents.append(Intent(intent=article.intent, group="articles", meaning=article.title))
    asked = Counter(label for each in utterances for label in each.intents)
    asked.update(each.intent for each in conversations)
    by_person = {intent.intent for intent in intents if intent.group == HAND_OVER_GROUP}
    seldom = [each for each in articles if asked[each.intent] < _ENOUGH_MESSAGES and each.intent not in by_person]
    made, opened_vaguely = made_questions(seldom, asked.keys())
    utterances += made
    # What is vague is known from logs alone.
    conversations += [] if any(each.opening == "vague" for each in conversations) else opened_vaguely
    labels = set()
    if not by_person:
        intents += [intent for intent in general_intents() if intent.intent not in listed]
        labels |= {intent.intent for intent in general_intents()}
    if not asked[OFF_TOPIC]:
        labels.add(OFF_TOPIC)
    questions = Counter(each.split for each in utterances)
    general = [each for each in general_messages() if labels.issuperset(each.intents)]
    utterances += _some(general, questions) + _some(small_talk(), questions)
    content = repr((intents, utterances, articles, conversations)).encode()
    return SupportData(intents, utterances, articles, conversations, hashlib.sha256(content).hexdigest())


def _some(general: Sequence[Utterance], questions: Counter[Split | None]) -> list[Utterance]:
    """General messages: to learn from, all; to measure by, fewer than questions, unless there are next to none."""
    found = []
    for split in SPLITS:
        of_split = [each for each in general if each.split == split]
        most = max(_FEWEST_GENERAL_ONES, questions[split] // _MESSAGES_A_GENERAL_ONE)
        found += of_split if split == "train" else of_split[:most]
    return found
