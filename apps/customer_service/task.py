"""The bot as a task: data, policy, reward and what to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch

from apps.customer_service.config import EXAMPLE, SupportConfig
from apps.customer_service.data import Article, Intent, LoggedMessage, Utterance
from apps.customer_service.environment import (
    ACTIONS,
    ASK_BACK,
    HAND_OVER,
    STATE_FEATURES,
    Customer,
    StateBuilder,
    SupportEnv,
    customers,
    opening,
)
from apps.customer_service.knowledge import ArticleTable, Knowledge
from apps.customer_service.reading import check_support_data, read_support_data
from apps.customer_service.rewards import (
    FIXED_ACTIONS,
    MISUNDERSTOOD,
    OFFERED,
    REWARD,
    RewardWithFollowUp,
    is_right,
    truth_of,
)
from core.data.splits import halves_of
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Column, Observations, count, join, take
from core.envs.play import Act
from core.evaluation.labels import OptionLabels
from core.models.actor_critic import ActorCritic, CandidateHead
from core.models.encoder import TextEncoder
from core.rl.all_action import ActionValues
from core.rl.off_policy import LoggedDecisions
from core.rl.supervised import Demonstrations
from core.training.feedback import DecisionWithFeedback, LoggedDecision
from core.training.settings import Settings
from core.training.stages import CrossFit, LinearProbe, ResidualRL, Stage, WarmStart
from core.training.task import Split, Task
from core.training.workspace import WorkspaceReport, read_workspace

_HEAD = {"iterations": 20, "batch_size": 64, "head_learning_rate": 5e-3, "weight_decay": 0.1, "patience": 10}
_RL = {
    "algorithm": "all_action",
    "iterations": 14,
    "batch_size": 64,
    "head_learning_rate": 2e-3,
    "weight_decay": 0.1,
    "kl_coef": 0.02,
    "ent_coef": 0.0,
    "patience": 14,
    # Iterations differ by less than the validation customers can tell.
    "load_best_model_at_end": False,
}


class CustomerService(Task):
    """Answer from the help articles, ask back, hand over to a person, decline what is no matter of theirs, or chat."""

    name: ClassVar[str] = "customer_service"
    title: ClassVar[str] = "Customer service"
    config: ClassVar = SupportConfig
    workspace: ClassVar = read_workspace(EXAMPLE, SupportConfig)
    template: ClassVar = EXAMPLE.with_name("template")
    tables: ClassVar = {"articles": Article, "intents": Intent, "messages": Utterance, "logs": LoggedMessage}
    data_card: ClassVar[str] = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    presets: ClassVar = {
        "quick": {
            "encoder": {"adapt": "top", "layers": 4},
            "supervised": {"iterations": 5, "batch_size": 32, "learning_rate": 1e-4, "patience": 3},
            "rl": _RL,
        },
        # What is made of articles' own words teaches what retrieval's scores mean, for all articles alike. An encoder
        # or a projection that learnt from it would learn by heart which words belong to which article.
        "articles": {"encoder": {"adapt": "frozen"}, "linear": _HEAD, "supervised": _HEAD, "rl": _RL},
    }

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.reward = REWARD.with_weights(settings.rewards)
        self._with_follow_up = RewardWithFollowUp(self.reward.terms, self.reward.weights)
        self.data = read_support_data(self.workspace)

    @classmethod
    def check(cls) -> WorkspaceReport:
        return check_support_data(cls.workspace)

    def data_fingerprint(self) -> str:
        return self.data.fingerprint

    def stages(self) -> Sequence[Stage]:
        """RL improves on the cost-optimal rule, see `core.models.rule_head`."""
        return LinearProbe(), WarmStart(), CrossFit(), ResidualRL()

    @cached_property
    def maker(self) -> StateBuilder:
        """Retrieval over the articles, shared by every environment."""
        encoder = TextEncoder.of(self.settings.encoder, frozen=True, max_length=160)
        return StateBuilder(Knowledge(self.data, encoder))

    def policy(self, *, frozen: bool = False) -> ActorCritic:
        encoder = TextEncoder.of(self.settings.encoder, frozen=frozen)
        articles = ArticleTable(self.maker.knowledge.vectors)
        head = CandidateHead(
            encoder.width,
            articles,
            features=STATE_FEATURES,
            fixed=len(FIXED_ACTIONS),
            projected=self.settings.encoder.adapt != "frozen",
        )
        return ActorCritic(encoder, head)

    def environment(self, split: Split, num_envs: int | None = None, *, shuffle: bool = False) -> EpisodeEnv:
        episodes = customers(self.data, split)
        return SupportEnv(episodes, self.maker, self.reward, num_envs or len(episodes), shuffle=shuffle)

    def halves(self, column: Column) -> np.ndarray:
        return halves_of(map(opening, column))

    def demonstrations(self, split: Split) -> Demonstrations:
        every = customers(self.data, split)
        asked = [(customer, asks) for customer in every for asks in range(2 if customer.vague else 1)]
        states = self.maker.states([customer.messages[: asks + 1] for customer, asks in asked])
        targets = np.zeros((len(asked), ACTIONS), dtype=np.float32)
        for row, (customer, asks), candidates in zip(targets, asked, states["candidates"], strict=True):
            actions = self.maker.actions(candidates)
            right = [number for number, action in enumerate(actions) if is_right(asks, action, customer)]
            # Where retrieval found no article that answers, a person has to.
            right = right or [ASK_BACK if customer.vague and asks == 0 else HAND_OVER]
            row[right] = 1.0 / len(right)
        return Demonstrations(states, targets)

    def labelled_states(self, split: Split) -> tuple[Observations, dict[str, np.ndarray]]:
        """First messages that want one thing: an intent, or one of the fixed actions."""
        plain = [customer for customer in customers(self.data, split) if len(customer.intents) == 1]
        right = np.array([self._label_of(customer) for customer in plain])
        return self.maker.states([customer.messages[:1] for customer in plain]), {"intent": right}

    def _label_of(self, customer: Customer) -> int:
        if customer.label in FIXED_ACTIONS:
            return len(self._intents) + FIXED_ACTIONS.index(customer.label)
        return self._intents[customer.label]

    def option_labels(self, states: Observations) -> OptionLabels:
        articles = self.maker.knowledge.articles
        number = np.array([*(self._intents.get(article.intent, -1) for article in articles), -1])
        candidates = np.asarray(states["candidates"])
        fixed = np.tile(len(self._intents) + np.arange(len(FIXED_ACTIONS)), (len(candidates), 1))
        return OptionLabels({"intent": np.concatenate([number[candidates], fixed], axis=1)}, fallback=HAND_OVER)

    @cached_property
    def _intents(self) -> dict[str, int]:
        """Number of each intent that a customer or an article has."""
        said = (intent for utterance in self.data.utterances for intent in utterance.intents)
        chats = (conversation.intent for conversation in self.data.conversations)
        names = {*said, *chats, *(article.intent for article in self.maker.knowledge.articles)}
        return {intent: number for number, intent in enumerate(sorted(names))}

    def action_values(self) -> tuple[Observations, ActionValues]:
        """The customers, those with a vague opening also after a question back, and what each action is worth.

        Asking back is worth its price and what the policy makes of the customer's next message. After one question
        the next move is taken for a hand-over, which is always possible and so a lower bound.
        """
        every = customers(self.data, "train")
        first = self.maker.states([customer.messages[:1] for customer in every])
        offered = [self.maker.offered(candidates) for candidates in first["candidates"]]
        replies = [who.reply(who.messages[:1], shown) for who, shown in zip(every, offered, strict=True)]
        second = self.maker.states(replies)
        first_rewards, second_rewards = self.rewards_of(every, 0, first), self.rewards_of(every, 1, second)
        second_rewards[:, ASK_BACK] += second_rewards[:, HAND_OVER]

        def values(policy: ActorCritic) -> np.ndarray:
            after = (policy.logits(second).exp().numpy() * second_rewards).sum(-1)
            before = first_rewards.copy()
            before[:, ASK_BACK] += after
            # The second state counts as often as the policy gets there.
            reached = policy.logits(take(first, telling)).exp().numpy()[:, ASK_BACK, None]
            return np.concatenate([before, reached * second_rewards[telling]]).astype(np.float32)

        # Who repeats the message is seldom asked back, so that second state would teach next to nothing.
        telling = np.flatnonzero([said[0] != said[1] for said in replies])
        return join([first, take(second, telling)]), values

    def rewards_of(self, customers: Sequence[Customer], asked: int, states: Observations) -> np.ndarray:
        """What the environment pays at once for every action, float32 of shape (customers, actions).

        Args:
            customers: Customers who talk to the bot.
            asked: Number of times that each was asked back.
            states: State of each one's conversation.
        """
        each = zip(customers, states["candidates"], strict=True)
        return np.concatenate([self.reward.table(asked, self.maker.actions(row), [who]) for who, row in each])

    def reward_table(self, states: Observations) -> np.ndarray:
        """See `Task.reward_table`, and `RewardWithFollowUp` for what asking back is worth."""
        worth = self._worth
        candidates = np.asarray(states["candidates"])
        candidates = np.where(candidates < 0, len(self.maker.knowledge.articles), candidates)
        fixed = np.arange(len(worth.wrong) - len(FIXED_ACTIONS), len(worth.wrong))
        actions = np.concatenate([candidates, np.broadcast_to(fixed, (len(candidates), len(fixed)))], axis=1)
        is_same = worth.intents[candidates][:, :, None] == worth.intents[actions][:, None, :]
        answers = np.where(is_same, worth.right[actions][:, None, :], worth.wrong[actions][:, None, :])
        answers[:, :, ASK_BACK] += worth.picked * _are_offered(is_same[:, :, : candidates.shape[1]])
        return np.concatenate([answers, worth.of_fixed[:, actions].swapaxes(0, 1)], axis=1)

    @cached_property
    def _worth(self) -> "_Worth":
        knowledge = self.maker.knowledge
        actions = self.maker.actions([*range(len(knowledge.articles)), -1])
        reward = self._with_follow_up
        asked = [reward(0, "ask_back", truth) for truth in (truth_of("ask_back"), MISUNDERSTOOD)]
        clear = [who.picks for who in customers(self.data, "train") if who.wants == "answer" and not who.vague]
        number_of = {intent: number for number, intent in enumerate({each.intent for each in knowledge.articles})}
        return _Worth(
            np.array([reward(0, action, truth_of(action)) for action in actions], dtype=np.float32),
            reward.table(0, actions, [MISUNDERSTOOD])[0],
            reward.table(0, actions, [truth_of(action) for action in FIXED_ACTIONS]),
            np.array([number_of.get(each.intent, -1) if isinstance(each, Article) else -2 for each in actions]),
            float(np.mean(clear or [False])) * (asked[0] - asked[1]),
        )

    def feedback_decisions(self, judged: Sequence[DecisionWithFeedback]) -> LoggedDecisions | None:
        """See `Task.feedback_decisions`.

        The states are those that the bot would see today: where articles have come or gone since, the action is the
        number that the article has among today's candidates. A reply whose article is no longer among them is left
        out, as is one in a language that the policy does not read.
        """
        judged = [each for each in judged if each.feedback and "language" not in each.decision.state]
        if not judged:
            return None
        said = [tuple(each.decision.state["messages"]) for each in judged]
        states = self.maker.states(said)
        numbers: dict[int, int] = {}
        worth: list[float] = []
        for row, (each, candidates) in enumerate(zip(judged, states["candidates"], strict=True)):
            actions = self.maker.actions(candidates)
            names = [action.id if isinstance(action, Article) else action for action in actions]
            done = _logged_action(each.decision)
            if done in names:
                numbers[row] = names.index(done)
                action, asked = actions[numbers[row]], len(said[row]) - 1
                paid = self._with_follow_up.from_opinion(asked, action, MISUNDERSTOOD, truth_of(action), each.value)
                worth.append(paid)
        if not numbers:
            return None
        return LoggedDecisions(
            take(states, list(numbers)),
            torch.tensor([[number] for number in numbers.values()]),
            torch.tensor([[judged[row].decision.propensity] for row in numbers]).log(),
            torch.tensor(worth),
        )

    def rules(self) -> dict[str, Act]:
        def always(action: int) -> Act:
            return lambda states: np.full((count(states), 1), action)

        return {"always_hand_over": always(HAND_OVER), "first_article_found": always(0)}


@dataclass(frozen=True)
class _Worth:
    """Rewards of all actions: of answering with each article, with none, and of the fixed actions behind them.

    Attributes:
        right: Rewards where the action is the right one, float32 of shape (actions,).
        wrong: Rewards where the answer to another question is, float32 of shape (actions,).
        of_fixed: Rewards where a fixed action is, float32 of shape (fixed actions, actions).
        intents: Number of each action's intent, int64 of shape (actions,); negative where it has none.
        picked: Worth of a question back beyond that where the right article is offered, since some pick it.
    """

    right: np.ndarray
    wrong: np.ndarray
    of_fixed: np.ndarray
    intents: np.ndarray
    picked: float


def _are_offered(is_same: np.ndarray) -> np.ndarray:
    """Whether a question back offers what each candidate is about, bool of shape (states, candidates).

    Args:
        is_same: Whether two candidates have one intent, bool of shape (states, candidates, candidates).
    """
    first = is_same.argmax(axis=2)
    rank = np.cumsum(first == np.arange(first.shape[1]), axis=1)
    return np.take_along_axis(rank, first, axis=1) <= OFFERED


def _logged_action(decision: LoggedDecision) -> str:
    """Name of what was done; earlier logs hold its number behind which the state's candidates stand."""
    (action,) = decision.action
    return action if isinstance(action, str) else [*decision.state["candidates"], *FIXED_ACTIONS][action]
