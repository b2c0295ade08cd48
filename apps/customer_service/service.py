"""The bot: a reply to a conversation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from apps.customer_service.desk import Article
from apps.customer_service.environment import ASK_BACK, CANDIDATES, DECLINE, HAND_OVER, MAX_ASKS
from apps.customer_service.knowledge import Messages
from apps.customer_service.sentences import best_sentences
from apps.customer_service.task import CustomerService
from core.serving.batching import Batcher
from core.serving.explore import Explorer
from core.serving.typed import typed_text
from core.task import Task
from core.training import Run, trained_policy
from core.workflow import open_task

MAX_MESSAGE = 4_000

Action = Literal["answer", "ask_back", "hand_over", "decline"]


@dataclass(frozen=True)
class Source:
    """An article that a reply rests on."""

    article: str
    title: str
    body: str


@dataclass(frozen=True)
class Choice:
    """What the policy decided.

    Attributes:
        state: the messages and the ids of the candidates, from which the observation can be made again.
        action: number of the candidate, or of a fixed action behind them.
        propensity: probability with which the bot does that in this state.
    """

    state: dict[str, Any]
    action: int
    propensity: float


@dataclass(frozen=True)
class Reply:
    """What the bot does next.

    Attributes:
        action: a field of its own, so that no text can pretend to be one.
        text: for the customer; empty where the page words the action in the customer's language.
        sources: the article that answers, or the articles that a question back is about.
        confidence: the policy's probability of the action, between 0 and 1.
        choice: what was decided, for learning; None where a person decided.
    """

    action: Action
    text: str
    sources: list[Source]
    confidence: float
    choice: Choice | None = None


@dataclass(frozen=True)
class Asked:
    """What a customer said since the last answer, as far as it counts, and how the bot may decide."""

    messages: Messages
    may_ask: bool
    explorer: Explorer


class SupportService:
    """Decides by the trained policy, for the conversations of many customers at once; keeps nothing of them.

    Args:
        task: with the settings that the policy was trained with.
        run: the run that holds the policy.
    """

    def __init__(self, task: Task, run: Run) -> None:
        assert isinstance(task, CustomerService)
        self.task, self.run = task, run
        self.policy = trained_policy(task, run).for_serving()
        task.maker.for_serving(self.policy.encoder)
        self._replies: Batcher[Asked, Reply] = Batcher(self._reply_to_all)

    @property
    def batchers(self) -> dict[str, Batcher[Any, Any]]:
        """Where requests of several users meet, by what they get; to be measured, and closed at the end."""
        return {"replies": self._replies}

    def reply(self, earlier: list[str], message: str, explorer: Explorer | None = None) -> Reply:
        """Decide what to do about a conversation.

        Args:
            earlier: the customer's messages since the last answer, oldest first.
            message: the newest.
            explorer: picks the action by its probability; without one, the best is taken.

        Raises:
            SteerError: the message is empty, too long, or not text, or too many requests wait.
        """
        message = typed_text(message, most=MAX_MESSAGE, what="a message")
        messages = (*earlier[-MAX_ASKS:], message)
        may_ask = len(earlier) < MAX_ASKS  # nobody is asked a third time
        return self._replies.submit(Asked(messages, may_ask, explorer or Explorer()))

    def sources(self, articles: Sequence[str]) -> list[Source]:
        """The articles of some ids, without those that are no longer there."""
        known = self.task.maker.knowledge.by_id
        return [_source(known[article]) for article in articles if article in known]

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, as the policy's encoder counts them."""
        return self.policy.encoder.lengths([text])[0]

    def _reply_to_all(self, asked: list[Asked]) -> list[Reply]:
        states = self.task.maker.states([each.messages for each in asked])
        probs = self.policy.logits(states).exp()
        return [self._reply(*each) for each in zip(asked, probs, states["candidates"], strict=True)]

    def _reply(self, asked: Asked, probs: torch.Tensor, candidates: np.ndarray) -> Reply:
        if not asked.may_ask:
            probs[ASK_BACK] = 0
        action, propensity = asked.explorer.choose(probs.numpy().astype(np.float64))
        articles = [self.task.maker.knowledge.article(int(row)) for row in candidates]
        state = {"messages": list(asked.messages), "candidates": [article.id for article in articles]}
        choice = Choice(state, action, propensity)
        if action < CANDIDATES:
            confidence = self._same_intent(probs, articles, action)
            return self._answer(articles[action], asked.messages[-1], confidence, choice)
        kinds: dict[int, Action] = {ASK_BACK: "ask_back", HAND_OVER: "hand_over", DECLINE: "decline"}
        sources = self._choices(probs, articles) if action == ASK_BACK else []
        return Reply(kinds[action], "", sources, float(probs[action] / probs.sum()), choice)

    def _answer(self, article: Article, message: str, confidence: float, choice: Choice) -> Reply:
        text = article.template or best_sentences(article.body, message, self.task.maker.knowledge.encoder)
        return Reply("answer", text, [_source(article)], confidence, choice)

    def _same_intent(self, probs: torch.Tensor, articles: list[Article], chosen: int) -> float:
        """Probability that what the chosen article is about is what the customer wants."""
        about = [at for at, article in enumerate(articles) if article.intent == articles[chosen].intent]
        return float(probs[about].sum() / probs.sum())

    def _choices(self, probs: torch.Tensor, articles: list[Article]) -> list[Source]:
        """Articles of the three likeliest intents, one each, for the customer to pick from."""
        likeliest = np.argsort(-probs[:CANDIDATES].numpy(), kind="stable")
        by_intent: dict[str, Article] = {}
        for at in likeliest:
            by_intent.setdefault(articles[at].intent, articles[at])
        return [_source(article) for article in list(by_intent.values())[:3]]


def open_service(run: Run) -> SupportService:
    """The service of the bot that `run` holds.

    Raises:
        SteerError: it holds none.
    """
    return SupportService(open_task(CustomerService, run), run)


def _source(article: Article) -> Source:
    return Source(article.id, article.title, article.body)
