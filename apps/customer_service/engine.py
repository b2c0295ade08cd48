"""What computes for the bot: retrieval, the policy, and the sentences that answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch

from apps.customer_service.data import Article
from apps.customer_service.environment import ASK_BACK, offers
from apps.customer_service.knowledge import Messages
from apps.customer_service.multilingual import MultilingualBeliefs, are_english, language_of_talk
from apps.customer_service.rewards import FixedAction
from apps.customer_service.task import CustomerService
from apps.customer_service.wording import quoted_in, worded_in
from core.data.languages import Language
from core.models.encoder import TextEncoder
from core.models.rule_head import RulePolicy, rule_probabilities
from core.rl.explore import Explorer
from core.training.run import Run, trained_policy
from core.util.opening import Opening
from core.util.sentences import sentences

# `passed_on` is nothing that the policy chooses: a person has taken the conversation over.
ReplyAction = Literal["answer", "passed_on"] | FixedAction

# Whom nobody understood is handed over too: that they want a person is not likely then.
_LOST = 0.5


@dataclass(frozen=True)
class Asked:
    """What a customer said since the last answer, as far as it counts, and how the bot may decide."""

    messages: Messages
    may_ask: bool
    explorer: Explorer


@dataclass(frozen=True)
class Choice:
    """What the policy decided.

    Attributes:
        state: Messages and ids of the candidates, from which the observation can be made again; the language, where it
            is not that of the articles.
        action: Id of the article that answers, or name of a fixed action.
        propensity: Probability with which the bot does that in this state.
    """

    state: dict[str, Any]
    action: str
    propensity: float


@dataclass(frozen=True)
class Reply:
    """What the bot does next.

    Attributes:
        action: Action of the bot, in a field of its own, so that no text can pretend to be one.
        text: Text for the customer; empty where the page words the action in the language of the page.
        sources: The article that answers, or the articles that a question back is about; those that are likeliest to
            help meanwhile, where the bot hands over because it is sure of none.
        confidence: Probability that the action is what the customer wants, by the calibrated beliefs that the policy
            reads; between 0 and 1. A question back is, too, where one of the articles that it offers is. None where
            nothing has read the message yet.
        choice: Decision to learn from; None where a person decided.
    """

    action: ReplyAction
    text: str
    sources: list[Article]
    confidence: float | None
    choice: Choice | None = None


class SupportEngine:
    """Decides by the trained policy, for the conversations of many customers at once; keeps nothing of them.

    Over articles in English, who writes in another language is decided about by the rule that the policy began as, on
    beliefs of a model that reads a hundred languages. That takes most of a gigabyte, and time to open, so it is opened
    when the first such customer comes; whoever comes before it is there is handed over.

    Args:
        task: Task as its run was trained.
        run: Run that holds the trained policy.
        patience: Seconds that the first such customer, and all who come at the same time, wait for it; None for as long
            as it takes.

    Raises:
        SteerError: The run holds none.
    """

    def __init__(self, task: CustomerService, run: Run, patience: float | None = 10.0) -> None:
        policy = trained_policy(task, run).for_serving()
        assert isinstance(policy, RulePolicy)
        self.policy, self._task, self._maker = policy, task, task.maker
        self._maker.for_serving(self.policy.encoder)
        is_said = task.workspace.config.language == "en"
        self._patience = patience
        self._is_english = is_said and are_english(self._maker.knowledge.articles)

    def replies(self, asked: list[Asked]) -> list[Reply]:
        """The reply to each."""
        languages = [language_of_talk(each.messages) if self._is_english else "en" for each in asked]
        own = [at for at, language in enumerate(languages) if language == "en"]
        foreign = [at for at, language in enumerate(languages) if language != "en"]
        replies = self._own([asked[at] for at in own])
        replies += self._foreign([asked[at] for at in foreign], [languages[at] for at in foreign])
        by_number = dict(zip([*own, *foreign], replies, strict=True))
        return [by_number[at] for at in range(len(asked))]

    @cached_property
    def _multilingual(self) -> Opening[MultilingualBeliefs]:
        return Opening(lambda: MultilingualBeliefs(self._task.data, self._maker.knowledge.articles), self._patience)

    def _own(self, asked: list[Asked]) -> list[Reply]:
        if not asked:
            return []
        states = self._maker.states([each.messages for each in asked])
        log_probs, beliefs = self.policy.decide(states)
        encoder = self._maker.knowledge.encoder
        each = zip(asked, log_probs.exp(), beliefs, states["candidates"], strict=True)
        return [self._reply(*parts, encoder) for parts in each]

    def _foreign(self, asked: list[Asked], languages: list[Language]) -> list[Reply]:
        if not asked:
            return []
        reader = self._multilingual.get()
        if reader is None:
            return [Reply("hand_over", worded_in(language, "hand_over"), [], None) for language in languages]
        believed = reader.of([each.messages for each in asked])
        probs = rule_probabilities(believed.beliefs, self._task.reward_table({"candidates": believed.candidates}))
        each = zip(asked, probs, believed.beliefs, believed.candidates, strict=True)
        replies = [self._reply(*parts, reader.encoder) for parts in each]
        return [_translated(*each) for each in zip(replies, languages, strict=True)]

    def _reply(
        self, asked: Asked, probs: torch.Tensor, beliefs: torch.Tensor, candidates: np.ndarray, encoder: TextEncoder
    ) -> Reply:
        if not asked.may_ask:
            probs[ASK_BACK] = beliefs[ASK_BACK] = 0
        number, propensity = asked.explorer.choose(probs.numpy().astype(np.float64))
        shares = beliefs / beliefs.sum()
        actions = self._maker.actions(candidates)
        action, articles = actions[number], [each for each in actions if isinstance(each, Article) and each.id]
        state = {"messages": list(asked.messages), "candidates": [article.id for article in articles]}
        if not isinstance(action, Article):
            likeliest = np.argsort(-shares[: len(articles)].numpy(), kind="stable")
            is_lost = action == "hand_over" and shares[number] < _LOST
            sources = offers(articles[at] for at in likeliest) if action == "ask_back" or is_lost else []
            sure = shares[number] + (_share_of(sources, articles, shares) if action == "ask_back" else 0.0)
            return Reply(action, "", sources, float(sure), Choice(state, action, propensity))
        # Who has picked an article by its title asked before.
        question = next((said for said in reversed(asked.messages) if said != action.title), action.title)
        text = action.template or best_sentences(action.body, question, encoder)
        return Reply(
            "answer", text, [action], _share_of([action], articles, shares), Choice(state, action.id, propensity)
        )


def _share_of(shown: Sequence[Article], articles: Sequence[Article], shares: torch.Tensor) -> float:
    """Probability that one of the shown articles is right, which it is as often as any other of its intent would be.

    Args:
        shown: Articles that the customer is shown.
        articles: All candidates.
        shares: Probability of each option, of which the first are the candidates.
    """
    intents = {article.intent for article in shown}
    return float(sum(shares[at] for at, article in enumerate(articles) if article.intent in intents))


def _translated(reply: Reply, language: Language) -> Reply:
    """The reply in a customer's own language, as far as its words are the bot's own."""
    assert reply.choice is not None
    assert reply.action != "passed_on"  # by the service alone
    words = quoted_in(language, reply.text) if reply.action == "answer" else worded_in(language, reply.action)
    return replace(reply, text=words, choice=replace(reply.choice, state={**reply.choice.state, "language": language}))


def best_sentences(body: str, question: str, encoder: TextEncoder, most: int = 2) -> str:
    """The sentences of `body` nearest in meaning to `question`, in the article's own order.

    Args:
        body: Text of an article.
        question: Message of a customer.
        encoder: Frozen encoder; similarity is the cosine of its vectors.
        most: Number of sentences to take.
    """
    known = sentences(body)
    vectors = encoder.embed([question, *known])
    nearest = sorted((-(vectors[1:] @ vectors[0])).argsort(kind="stable")[:most])
    return " ".join(known[at] for at in nearest)
