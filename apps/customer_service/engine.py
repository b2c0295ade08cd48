"""What computes for the bot: retrieval, the policy, and the sentences that answer."""

from dataclasses import dataclass

import numpy as np
import torch

from apps.customer_service.data import Article
from apps.customer_service.environment import ASK_BACK, CANDIDATES, DECLINE, HAND_OVER
from apps.customer_service.knowledge import Messages
from apps.customer_service.replies import Action, Choice, Reply, Source
from apps.customer_service.sentences import best_sentences
from apps.customer_service.task import CustomerService
from core.rl.explore import Explorer
from core.training.loader import open_task
from core.training.run import Run, trained_policy


@dataclass(frozen=True)
class Asked:
    """What a customer said since the last answer, as far as it counts, and how the bot may decide."""

    messages: Messages
    may_ask: bool
    explorer: Explorer


class SupportEngine:
    """Decides by the trained policy, for the conversations of many customers at once; keeps nothing of them.

    Args:
        run: Run that holds the trained policy.

    Raises:
        SteerError: The run holds none.
    """

    def __init__(self, run: Run) -> None:
        task = open_task(CustomerService, run)
        assert isinstance(task, CustomerService)
        self.policy = trained_policy(task, run).for_serving()
        self._maker = task.maker
        self._maker.for_serving(self.policy.encoder)

    def replies(self, asked: list[Asked]) -> list[Reply]:
        """The reply to each."""
        states = self._maker.states([each.messages for each in asked])
        probs = self.policy.logits(states).exp()
        return [self._reply(*each) for each in zip(asked, probs, states["candidates"], strict=True)]

    def _reply(self, asked: Asked, probs: torch.Tensor, candidates: np.ndarray) -> Reply:
        if not asked.may_ask:
            probs[ASK_BACK] = 0
        action, propensity = asked.explorer.choose(probs.numpy().astype(np.float64))
        articles = [self._maker.knowledge.article(int(row)) for row in candidates]
        state = {"messages": list(asked.messages), "candidates": [article.id for article in articles]}
        choice = Choice(state, action, propensity)
        if action < CANDIDATES:
            confidence = self._same_intent(probs, articles, action)
            return self._answer(articles[action], asked.messages[-1], confidence, choice)
        kinds: dict[int, Action] = {ASK_BACK: "ask_back", HAND_OVER: "hand_over", DECLINE: "decline"}
        sources = self._choices(probs, articles) if action == ASK_BACK else []
        return Reply(kinds[action], "", sources, float(probs[action] / probs.sum()), choice)

    def _answer(self, article: Article, message: str, confidence: float, choice: Choice) -> Reply:
        text = article.template or best_sentences(article.body, message, self._maker.knowledge.encoder)
        return Reply("answer", text, [source(article)], confidence, choice)

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
        return [source(article) for article in list(by_intent.values())[:3]]


def source(article: Article) -> Source:
    """An article as what a reply rests on."""
    return Source(article.id, article.title, article.body)
