"""Questions in German, Chinese, Spanish and French over the shipped desk's English articles."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from rich.console import Console

from apps.customer_service.engine import Asked, Reply, SupportEngine
from apps.customer_service.environment import Customer, customers
from apps.customer_service.rewards import outcome
from apps.customer_service.task import CustomerService
from core.evaluation.bootstrap import bootstrap_mean
from core.evaluation.figures import figure
from core.rl.explore import Explorer
from core.training.loader import open_task
from core.training.run import Run
from core.training.task import Split
from testing.foreign_messages import foreign_messages

_FIRST = 5
_TARGET = 0.75


def language_figures(run: Run, console: Console, split: Split = "test") -> dict[str, dict[str, Any]]:
    """Articles found and decisions made, by language, beside what the English encoder finds.

    Args:
        run: Run that holds the bot's policy.
        console: Console that the figures are printed on.
        split: Split of the messages.
    """
    task = open_task(CustomerService, run)
    engine = SupportEngine(task, run, patience=None)
    messages = foreign_messages(split)
    results: dict[str, dict[str, Any]] = {}
    for language in dict.fromkeys(message.language for message in messages):
        said = [message for message in messages if message.language == language]
        people = customers(replace(task.data, utterances=said, conversations=[]), split)
        replies = engine.replies([Asked(who.messages[:1], may_ask=True, explorer=Explorer()) for who in people])
        results |= _found(f"_{language}", task, people, replies) | _decided(f"_{language}", task, people, replies)
    for key, entry in results.items():
        console.print(f"{key}: {entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]", highlight=False)
    return results


def _found(
    suffix: str, task: CustomerService, people: Sequence[Customer], replies: Sequence[Reply]
) -> dict[str, dict[str, Any]]:
    """Shares of the questions that have an article that answers first, or among the first five."""
    knowledge = task.maker.knowledge
    intent_of = {article.id: article.intent for article in knowledge.articles}
    questions = [at for at, who in enumerate(people) if who.wants == "answer"]
    shown = [[intent_of[each] for each in replies[at].choice.state["candidates"]] for at in questions]
    before = knowledge.find([people[at].messages[:1] for at in questions]).articles
    shown_before = [[knowledge.article(row).intent for row in rows] for rows in before]
    results = {}
    for name, first, intents, target in (
        ("recall1", 1, shown, None),
        ("recall5", _FIRST, shown, _TARGET),
        ("english_encoder_recall5", _FIRST, shown_before, None),
    ):
        hit = [bool(people[at].intents & set(row[:first])) for at, row in zip(questions, intents, strict=True)]
        results[f"customer_service.{name}{suffix}"] = figure(bootstrap_mean(np.array(hit, float)), target=target)
    return results


def _decided(
    suffix: str, task: CustomerService, people: Sequence[Customer], replies: Sequence[Reply]
) -> dict[str, dict[str, Any]]:
    """Shares of decisions: among questions, answered right and handed over; among all, answered wrong.

    Of what wants no answer - small talk, a person, other matters - the share that got what it wanted.
    """
    done = [
        outcome(0, reply.sources[0] if reply.action == "answer" else reply.action, who)
        for who, reply in zip(people, replies, strict=True)
    ]
    asks = np.array([who.wants == "answer" for who in people])

    def share(rows: np.ndarray, *names: str) -> dict[str, Any]:
        return figure(bootstrap_mean(np.isin(done, names)[rows].astype(float)))

    right = ("right_hand_over", "right_decline", "right_small_talk")
    return {
        f"customer_service.right{suffix}": share(asks, "right_answer"),
        f"customer_service.handed_over{suffix}": share(asks, "needless_hand_over"),
        f"customer_service.asked{suffix}": share(asks, "ask_back"),
        f"customer_service.declined{suffix}": share(asks, "wrong_decline"),
        f"customer_service.wrong{suffix}": share(np.ones(len(people), bool), "wrong_answer"),
        f"customer_service.others_right{suffix}": share(~asks, *right),
    }
