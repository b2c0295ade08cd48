"""A simulated customer: the bot answers, asks back, hands over or declines, until the conversation ends.

State: the conversation so far and the candidates that retrieval found for it. Action: answer with one of the
candidates, or one of `FIXED_ACTIONS`. Transition: asked back, the customer says more. Reward: `rewards.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from apps.customer_service.data import OFF_TOPIC, Desk
from apps.customer_service.knowledge import CANDIDATES, FEATURES, Knowledge, Messages
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.envs.text_space import text_space
from core.models.encoder import TextEncoder
from core.training.task import Split
from core.util.lru_cache import LRUCache

FIXED_ACTIONS = ("ask_back", "hand_over", "decline")
ASK_BACK, HAND_OVER, DECLINE = (CANDIDATES + at for at in range(len(FIXED_ACTIONS)))
ACTIONS = CANDIDATES + len(FIXED_ACTIONS)
MAX_ASKS = 2
STATE_FEATURES = FEATURES + 1
_REMEMBERED, _REMEMBERED_WHEN_SERVING = 20_000, 2_000


@dataclass(frozen=True)
class Episode:
    """One customer.

    Attributes:
        messages: what the customer types at first, and then each time the bot asks back.
        intents: any of these is what the customer wants to know.
        wants: an answer, a person, or nothing that the shop could give.
        vague: whether the first message cannot be answered.
    """

    messages: tuple[str, str, str]
    intents: frozenset[str]
    wants: Literal["answer", "person", "nothing"]
    vague: bool


def episodes(desk: Desk, split: Split, seed: int = 0) -> list[Episode]:
    """Every customer of a split: each utterance, then each conversation.

    A customer who is asked back without need says the same in other words: another utterance of the same intent.
    """
    generator = np.random.default_rng(seed)
    utterances = [utterance for utterance in desk.utterances if utterance.split == split]
    same: dict[str, list[str]] = {}
    for utterance in utterances:
        for intent in utterance.intents:
            same.setdefault(intent, []).append(utterance.text)

    def other_words(intents: list[str], *said: str) -> str:
        options = [text for intent in intents for text in same.get(intent, []) if text not in said]
        return options[generator.integers(len(options))] if options else said[-1]

    def wants(intents: list[str]) -> Literal["answer", "person", "nothing"]:
        if intents == [OFF_TOPIC]:
            return "nothing"
        return "person" if set(intents) & desk.hand_over_intents else "answer"

    found = []
    for u in utterances:
        second = other_words(u.intents, u.text)
        third = other_words(u.intents, u.text, second)
        found.append(Episode((u.text, second, third), frozenset(u.intents), wants(u.intents), vague=False))
    for c in (conversation for conversation in desk.conversations if conversation.split == split):
        vague = c.opening == "vague"
        said = c.customer[: 1 + MAX_ASKS] if vague else c.customer[:1]
        while len(said) < 1 + MAX_ASKS:
            said = [*said, other_words([c.intent], *said)]
        found.append(Episode((said[0], said[1], said[2]), frozenset([c.intent]), wants([c.intent]), vague))
    return found


class StateBuilder:
    """Turns conversations into states; remembers what retrieval found for each."""

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
            "text": tuple(" [SEP] ".join(reversed(messages)) for messages in conversations),
            "candidates": np.stack([row[0] for row in rows]),
            "features": np.concatenate([features, asked_column], axis=-1),
        }

    def _find(self, conversations: list[Messages]) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        found = self.knowledge.find(conversations)
        return zip(found.articles, found.features, strict=True)


class SupportEnv(EpisodeEnv):
    """Conversations with simulated customers.

    Args:
        customers: one episode each.
        maker: makes states.
        rewards: see `apps.customer_service.rewards`.
        num_envs: conversations side by side.
        shuffle: see `EpisodeEnv`.
    """

    def __init__(
        self, customers: list[Episode], maker: StateBuilder, rewards: dict[str, float], num_envs: int, *, shuffle: bool
    ) -> None:
        super().__init__(num_envs, len(customers), ACTIONS, shuffle=shuffle)
        self.customers, self.maker, self.rewards = customers, maker, rewards
        self.intents = np.array([article.intent for article in maker.knowledge.articles])
        self.said: list[Messages] = [()] * num_envs
        self._states: dict[str, Any] = {}
        self.single_observation_space = spaces.Dict(
            {
                "text": text_space(),
                "candidates": spaces.Box(0, len(self.intents), (CANDIDATES,), np.int64),
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
        outcomes = [self._outcome(slot, int(action)) for slot, action in enumerate(actions[:, 0])]
        rewards = np.array([self.rewards[outcome] for outcome in outcomes])
        return rewards, np.array([outcome != "ask_back" for outcome in outcomes]), {"outcome": outcomes}

    def _outcome(self, slot: int, action: int) -> str:
        customer = self.customers[self.rows[slot]]
        if action == ASK_BACK:
            if len(self.said[slot]) > MAX_ASKS:
                return "customer_left"
            self.said[slot] = customer.messages[: len(self.said[slot]) + 1]
            return "ask_back"
        if action == HAND_OVER:
            return "right_hand_over" if customer.wants == "person" else "needless_hand_over"
        if action == DECLINE:
            return "right_decline" if customer.wants == "nothing" else "wrong_decline"
        intent = self.intents[self._states["candidates"][slot, action]]
        # A vague opening tells nobody the answer: hitting it by luck is not understanding.
        guessed = customer.vague and len(self.said[slot]) == 1
        right = customer.wants == "answer" and intent in customer.intents and not guessed
        return "right_answer" if right else "wrong_answer"
