"""A simulated customer: the bot answers, asks back, hands over, declines or chats, until it has ended.

State: the conversation so far and the candidates that retrieval found for it. Action: answer with one of the
candidates, or one of `FIXED_ACTIONS`. Transition: asked back, the customer says more, or picks what they meant among
the articles that the question offers. Reward: `rewards.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from apps.customer_service.data import MADE, NO_ARTICLE, OFF_TOPIC, SMALL_TALK, Article, SupportData
from apps.customer_service.knowledge import CANDIDATES, FEATURES, Knowledge, Messages, said_once
from apps.customer_service.rewards import FIXED_ACTIONS, MAX_ASKS, OFFERED, Action, Truth, is_right, outcome
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.envs.text_space import text_space
from core.models.encoder import TextEncoder
from core.rewards.reward import Reward
from core.training.task import Split
from core.util.lru_cache import LRUCache

ASK_BACK, HAND_OVER, DECLINE, *_ = (CANDIDATES + at for at in range(len(FIXED_ACTIONS)))
ACTIONS = CANDIDATES + len(FIXED_ACTIONS)
STATE_FEATURES = FEATURES + 1
_REMEMBERED, _REMEMBERED_WHEN_SERVING = 20_000, 2_000
# Not everybody knows by its title the article that would help.
_PICKING = 0.7
_THEN = " [SEP] "


@dataclass(frozen=True, kw_only=True)
class Customer(Truth):
    """One customer: what they want, and what they say.

    Attributes:
        messages: Words that the customer types at first, and then each time the bot asks back.
        picks: Whether the customer knows the right article by its title, and picks it where it is offered.
    """

    messages: tuple[str, str, str]
    picks: bool = False

    @property
    def label(self) -> str:
        """What is right after the first message, of who wants one thing: a fixed action, or the intent to answer."""
        helps = next((action for action in FIXED_ACTIONS if is_right(0, action, self)), None)
        return helps or ("ask_back" if self.vague else next(iter(self.intents)))

    def reply(self, said: Messages, offered: Sequence[Article]) -> Messages:
        """All that the customer has said, once a question back has offered some articles."""
        picked = next((each.title for each in offered if self.picks and each.intent in self.intents), None)
        return (*said, picked or self.messages[len(said)])


def customers(data: SupportData, split: Split) -> list[Customer]:
    """Every customer of a split: each utterance, then each conversation.

    Whoever is asked back without need repeats the message. That customers would put it in other words, which may tell
    more, is nothing to count on: a bot that learns to rely on it asks those back who were clear. A customer of the log
    said what they said; one who was made from an article's own words is clearer than customers will be, and so most of
    those pick what they are offered: in doubt, asking is better than handing over.
    """
    generator = np.random.default_rng(0)

    def customer(intents: list[str], said: Sequence[str], *, vague: bool, picks: bool = False) -> Customer:
        first, second, third = [*said, *[said[-1]] * MAX_ASKS][: 1 + MAX_ASKS]
        wants = _wants(data, set(intents))
        return Customer(
            messages=(first, second, third), intents=frozenset(intents), wants=wants, vague=vague, picks=picks
        )

    found = [
        customer(each.intents, [each.text], vague=False, picks=each.kind == MADE and generator.random() < _PICKING)
        for each in data.utterances
        if each.split == split
    ]
    for conversation in (each for each in data.conversations if each.split == split):
        vague = conversation.opening == "vague"
        said = conversation.customer if vague else conversation.customer[:1]
        found.append(customer([conversation.intent], said, vague=vague))
    return found


def _wants(data: SupportData, intents: set[str]) -> Literal["answer", "person", "small_talk", "nothing"]:
    if intents & data.hand_over_intents:
        return "person"
    if intents <= set(SMALL_TALK):
        return "small_talk"
    return "nothing" if intents == {OFF_TOPIC} else "answer"


def offers(articles: Iterable[Article]) -> list[Article]:
    """What a question back offers to pick from: the first article of each of the first intents."""
    by_intent: dict[str, Article] = {}
    for article in articles:
        by_intent.setdefault(article.intent, article)
    return list(by_intent.values())[:OFFERED]


def opening(text: str) -> str:
    """The first message of a conversation, as it stands in the state's column `text`."""
    return text.rpartition(_THEN)[2]


class StateBuilder:
    """Turns conversations into states, and the numbers of actions in them into actions.

    Args:
        knowledge: Articles, of which retrieval finds the candidates; what it found is remembered.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self._found: LRUCache[Messages, tuple[np.ndarray, np.ndarray]] = LRUCache(_REMEMBERED)

    def for_serving(self, policy: TextEncoder) -> None:
        """Remember the last minutes only, and share with the policy's encoder what both say of a text."""
        self.knowledge.encoder.for_serving(beside=policy)
        self._found = LRUCache(_REMEMBERED_WHEN_SERVING)

    def states(self, conversations: list[Messages]) -> dict[str, Any]:
        """States of conversations, each the customer's messages so far, oldest first."""
        rows = self._found.get(conversations, self._find)
        asked = np.array([len(messages) - 1 for messages in conversations], dtype=np.float32) / MAX_ASKS
        features = np.stack([row[1] for row in rows])
        asked_column = np.broadcast_to(asked[:, None, None], (*features.shape[:2], 1))
        return {
            # The newest message first: what the window cuts off is the oldest.
            "text": tuple(_THEN.join(reversed(said_once(messages))) for messages in conversations),
            "candidates": np.stack([row[0] for row in rows]),
            "features": np.concatenate([features, asked_column], axis=-1),
        }

    def actions(self, candidates: Iterable[int]) -> list[Action]:
        """What each action number stands for.

        Args:
            candidates: Row of the state's column `candidates`.
        """
        return [*(NO_ARTICLE if row < 0 else self.knowledge.article(int(row)) for row in candidates), *FIXED_ACTIONS]

    def offered(self, candidates: Iterable[int]) -> list[Article]:
        """What a question back offers where nothing but retrieval has ranked the articles; argument as of `actions`."""
        return offers(self.knowledge.article(int(row)) for row in candidates if row >= 0)

    def _find(self, conversations: list[Messages]) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        found = self.knowledge.find(conversations)
        return zip(found.articles, found.features, strict=True)


class SupportEnv(EpisodeEnv):
    """Conversations with simulated customers.

    Args:
        customers: Customers, one episode each.
        maker: Makes the states.
        reward: Reward of an action.
        num_envs: Number of conversations side by side.
        shuffle: Whether customers come in random order, see `EpisodeEnv`.
    """

    def __init__(
        self,
        customers: list[Customer],
        maker: StateBuilder,
        reward: Reward[int, Action, Truth],
        num_envs: int,
        *,
        shuffle: bool,
    ) -> None:
        super().__init__(num_envs, len(customers), ACTIONS, shuffle=shuffle)
        self.customers, self.maker, self.reward = customers, maker, reward
        self.said: list[Messages] = [()] * num_envs
        self._states: dict[str, Any] = {}
        self.single_observation_space = spaces.Dict(
            {
                "text": text_space(),
                "candidates": spaces.Box(-1, len(maker.knowledge.articles), (CANDIDATES,), np.int64),
                "features": spaces.Box(-np.inf, np.inf, (CANDIDATES, STATE_FEATURES), np.float32),
            }
        )
        self.single_action_space = spaces.Discrete(ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def begin(self, slots: np.ndarray) -> None:
        for slot in slots:
            self.said[slot] = self.customers[self.rows[slot]].messages[:1]

    def observe(self) -> Observations:
        self._states = self.maker.states(self.said)
        return self._states

    def act(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        rewards, outcomes = np.zeros(self.num_envs), []
        for slot, number in enumerate(actions[:, 0]):
            candidates = self._states["candidates"][slot]
            action = self.maker.actions(candidates)[number]
            customer, asked = self.customers[self.rows[slot]], len(self.said[slot]) - 1
            rewards[slot] = self.reward(asked, action, customer)
            outcomes.append(outcome(asked, action, customer))
            if outcomes[-1] == "ask_back":
                self.said[slot] = customer.reply(self.said[slot], self.maker.offered(candidates))
        return rewards, np.array([each != "ask_back" for each in outcomes]), {"outcome": outcomes}
