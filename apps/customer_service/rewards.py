"""What a customer wants, what the bot may do about it, and what that is worth.

Actions are named by what they are: an article that answers, or one of `FIXED_ACTIONS`. Those of `SMALL_TALK` reply in
kind to small talk, and so are named by its intents.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from apps.customer_service.data import SMALL_TALK, Article, SmallTalk
from core.rewards.reward import Reward

MAX_ASKS = 2
OFFERED = 3
"""Number of articles that a question back offers to pick from."""

FixedAction = Literal["ask_back", "hand_over", "decline"] | SmallTalk
FIXED_ACTIONS: tuple[FixedAction, ...] = ("ask_back", "hand_over", "decline", *SMALL_TALK)
Action = Article | FixedAction


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a customer wants.

    Attributes:
        wants: An answer, a person, small talk, or nothing that the company could give.
        intents: Intents of which any is what the customer wants to know.
        vague: Whether the first message cannot be answered.
    """

    wants: Literal["answer", "person", "small_talk", "nothing"]
    intents: frozenset[str] = frozenset()
    vague: bool = False


def outcome(asked: int, action: Action, truth: Truth) -> str:
    """What comes of an action, by its name among the weights.

    Args:
        asked: Number of times that the bot has asked back in this conversation.
        action: Article that answers, or a fixed action.
        truth: Truth about what the customer wants.
    """
    # A vague opening tells nobody the answer: hitting it by luck is not understanding.
    guessed = truth.vague and asked == 0
    if isinstance(action, Article):
        right = truth.wants == "answer" and action.intent in truth.intents and not guessed
        return "right_answer" if right else "wrong_answer"
    if action == "ask_back":
        return "ask_back" if asked < MAX_ASKS else "customer_left"
    if action == "hand_over":
        if truth.wants == "small_talk":
            return "small_talk_hand_over"
        return "right_hand_over" if truth.wants == "person" else "needless_hand_over"
    if action == "decline":
        return "right_decline" if truth.wants == "nothing" else "wrong_decline"
    return "right_small_talk" if action in truth.intents and not guessed else "wrong_small_talk"


def is_right(asked: int, action: Action, truth: Truth) -> bool:
    """Whether an action gives the customer what they want; arguments as of `outcome`."""
    return outcome(asked, action, truth).startswith("right_")


def _happens(name: str) -> Callable[[int, Action, Truth], float]:
    return lambda asked, action, truth: float(outcome(asked, action, truth) == name)


def _length(asked: int, action: Action, truth: Truth) -> float:
    """Words that an answer gives to read: the article's short reply, or the article where it has none."""
    del asked, truth
    return float(len((action.template or action.body).split())) if isinstance(action, Article) else 0.0


_OUTCOMES = {
    "right_answer": 1.0,
    "wrong_answer": -1.5,
    "ask_back": -0.2,
    "right_hand_over": 1.0,
    "needless_hand_over": -0.2,
    "small_talk_hand_over": -1.0,
    "right_decline": 1.0,
    "wrong_decline": -1.0,
    "right_small_talk": 1.0,
    "wrong_small_talk": -1.0,
    "customer_left": -0.5,
}

# The state of a conversation, as far as the reward depends on it, is how often the bot has asked back.
REWARD: Reward[int, Action, Truth] = Reward(
    {**{name: _happens(name) for name in _OUTCOMES}, "length": _length}, {**_OUTCOMES, "length": 0.0}
)


class RewardWithFollowUp(Reward[int, Action, Truth]):
    """The reward of a conversation whose rest nobody plays: a question back is paid together with what it leads to.

    That is taken to be the right answer where asking was right, and a needless hand-over elsewhere; of either, the
    outcome alone counts.
    """

    def __call__(self, asked: int, action: Action, truth: Truth) -> float:
        paid = float(super().__call__(asked, action, truth))
        if action != "ask_back":
            return paid
        return paid + self.weights["right_answer" if truth.vague else "needless_hand_over"]


def truth_of(action: Action) -> Truth:
    """What the customer wants where the action is the one right thing to do."""
    if isinstance(action, Article):
        return Truth(wants="answer", intents=frozenset([action.intent]))
    if action == "ask_back":
        return Truth(wants="answer", vague=True)
    if action == "hand_over":
        return Truth(wants="person")
    return Truth(wants="nothing") if action == "decline" else Truth(wants="small_talk", intents=frozenset([action]))


# A customer whom no action but the answer to another question would help: every action is plainly wrong.
MISUNDERSTOOD = Truth(wants="answer")
