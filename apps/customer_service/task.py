"""The support desk as a task: data, policy, reward and what to learn from."""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from apps.customer_service.data import DATA, load_support_data
from apps.customer_service.environment import (
    ACTIONS,
    ASK_BACK,
    CANDIDATES,
    DECLINE,
    HAND_OVER,
    STATE_FEATURES,
    Episode,
    StateBuilder,
    SupportEnv,
    episodes,
)
from apps.customer_service.knowledge import Knowledge, Messages
from apps.customer_service.learning import feedback_decisions
from apps.customer_service.rewards import weights
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations, count, join, take
from core.envs.play import Act
from core.models.actor_critic import ActorCritic
from core.models.encoder import TextEncoder
from core.models.heads import CandidateHead
from core.rl.all_action import ActionValues
from core.rl.off_policy import LoggedDecisions
from core.rl.supervised import Demonstrations
from core.training.feedback import DecisionWithFeedback
from core.training.settings import Settings
from core.training.task import Split, Task


class ArticleTable(nn.Module):
    """Frozen article vectors by row number."""

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__()
        self.vectors: Tensor
        self.register_buffer("vectors", torch.from_numpy(vectors), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors of the articles at `rows`, shape (*rows.shape, width)."""
        return self.vectors[rows]


class CustomerService(Task):
    """Answer from the help articles, ask back, hand over to a person, or say that it is no matter of the shop's."""

    name: ClassVar[str] = "customer_service"
    title: ClassVar[str] = "Customer service"
    data_card: ClassVar[str] = (DATA / "README.md").read_text(encoding="utf-8")
    presets: ClassVar = {
        "quick": {
            "encoder": {"adapt": "top", "layers": 4},
            "supervised": {"iterations": 5, "batch_size": 32, "learning_rate": 1e-4, "patience": 3},
            "rl": {
                "algorithm": "all_action",
                "iterations": 7,
                "batch_size": 32,
                "learning_rate": 4e-5,
                "dropout": 0.1,
                "kl_coef": 0.0,
                "ent_coef": 0.0,
                "patience": 4,
            },
        },
    }

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.rewards = weights(settings.rewards)
        self.desk = load_support_data()

    def data_fingerprint(self) -> str:
        return self.desk.fingerprint

    @cached_property
    def logged(self) -> list[Episode]:
        """Customers of the training split whose right answer an agent wrote down: what supervision learns from."""
        return [customer for at, customer in enumerate(episodes(self.desk, "train")) if at % 5 < 3]

    @cached_property
    def live(self) -> list[Episode]:
        """The other customers of the training split, from whose rewards RL learns.

        RL needs customers that the warm start has not seen: on those that it knows by heart it is never in doubt, so
        it would not learn when to ask back or to hand over.
        """
        return [customer for at, customer in enumerate(episodes(self.desk, "train")) if at % 5 >= 3]

    @cached_property
    def maker(self) -> StateBuilder:
        """Retrieval over the desk's articles, shared by every environment."""
        encoder = TextEncoder(self.settings.encoder.name, max_length=160)
        return StateBuilder(Knowledge(self.desk, encoder))

    def policy(self, *, frozen: bool = False) -> ActorCritic:
        encoder = TextEncoder.of(self.settings.encoder, frozen=frozen)
        articles = ArticleTable(self.maker.knowledge.vectors)
        return ActorCritic(encoder, CandidateHead(encoder.width, articles, features=STATE_FEATURES, fixed=3))

    def environment(self, split: Split, num_envs: int | None = None, *, shuffle: bool = False) -> EpisodeEnv:
        customers = self.live if split == "train" else episodes(self.desk, split)
        return SupportEnv(customers, self.maker, self.rewards, num_envs or len(customers), shuffle=shuffle)

    def demonstrations(self, split: Split) -> Demonstrations:
        conversations: list[Messages] = []
        targets = []
        for customer in self.logged if split == "train" else episodes(self.desk, split):
            for asks in range(2 if customer.vague else 1):
                conversations.append(customer.messages[: asks + 1])
                targets.append(self._best_actions(customer, conversations[-1]))
        states = self.maker.states(conversations)
        return Demonstrations(states, self._target_rows(targets, states))

    def action_values(self) -> tuple[Observations, ActionValues]:
        """The live customers, those with a vague opening also after a question back, and what each action is worth.

        Asking back is worth its price and what the policy makes of the customer's next message. After one question
        the next move is taken for a hand-over, which is always possible and so a lower bound.
        """
        r = self.rewards
        first = self.maker.states([customer.messages[:1] for customer in self.live])
        second = self.maker.states([customer.messages[:2] for customer in self.live])
        first_rewards, second_rewards = self._rewards(first, asked=False), self._rewards(second, asked=True)
        give_up = first_rewards[:, HAND_OVER]
        second_rewards[:, ASK_BACK] = r["ask_back"] + give_up

        def values(policy: ActorCritic) -> np.ndarray:
            after = (policy.logits(second).exp().numpy() * second_rewards).sum(-1)
            before = first_rewards.copy()
            before[:, ASK_BACK] = r["ask_back"] + after
            # The second state counts as often as the policy gets there.
            reached = policy.logits(take(first, vague)).exp().numpy()[:, ASK_BACK, None]
            return np.concatenate([before, reached * second_rewards[vague]]).astype(np.float32)

        # Clear customers are seldom asked back, so their second state would teach next to nothing.
        vague = np.flatnonzero([customer.vague for customer in self.live])
        return join([first, take(second, vague)]), values

    def reward_table(self, states: Observations) -> np.ndarray:
        """See `Task.reward_table`; takes asking back to bring the right answer when, and only when, asking is right."""
        r = self.rewards
        intents = self._candidate_intents(states)
        table = np.full((count(states), ACTIONS, ACTIONS), r["wrong_answer"], dtype=np.float32)
        same = intents[:, :, None] == intents[:, None, :]
        table[:, :CANDIDATES, :CANDIDATES] = np.where(same, r["right_answer"], r["wrong_answer"])
        table[:, :, HAND_OVER] = r["needless_hand_over"]
        table[:, HAND_OVER, HAND_OVER] = r["right_hand_over"]
        table[:, :, DECLINE] = r["wrong_decline"]
        table[:, DECLINE, DECLINE] = r["right_decline"]
        table[:, :, ASK_BACK] = r["ask_back"] + r["needless_hand_over"]
        table[:, ASK_BACK, ASK_BACK] = r["ask_back"] + r["right_answer"]
        return table

    def feedback_decisions(self, judged: Sequence[DecisionWithFeedback]) -> LoggedDecisions | None:
        return feedback_decisions(judged, self.maker, self.rewards)

    def rules(self) -> dict[str, Act]:
        def always(action: int) -> Act:
            return lambda states: np.full((count(states), 1), action)

        return {"always_hand_over": always(HAND_OVER), "first_article_found": always(0)}

    def _rewards(self, states: Observations, *, asked: bool) -> np.ndarray:
        """Reward of every action that ends the conversation, for the live customers in these states."""
        r = self.rewards
        rows = np.full((len(self.live), ACTIONS), r["wrong_answer"], dtype=np.float32)
        for row, (customer, intents) in enumerate(zip(self.live, self._candidate_intents(states), strict=True)):
            if customer.wants == "answer" and (asked or not customer.vague):
                rows[row, np.flatnonzero(np.isin(intents, list(customer.intents)))] = r["right_answer"]
            rows[row, HAND_OVER] = r["right_hand_over" if customer.wants == "person" else "needless_hand_over"]
            rows[row, DECLINE] = r["right_decline" if customer.wants == "nothing" else "wrong_decline"]
        return rows

    def _candidate_intents(self, states: Observations) -> np.ndarray:
        intents = np.array([article.intent for article in self.maker.knowledge.articles])
        return intents[np.asarray(states["candidates"])]

    def _best_actions(self, customer: Episode, said: Messages) -> frozenset[str] | int:
        """The one best fixed action, or the intents whose articles answer."""
        if customer.wants != "answer":
            return HAND_OVER if customer.wants == "person" else DECLINE
        return ASK_BACK if customer.vague and len(said) == 1 else customer.intents

    def _target_rows(self, targets: list[frozenset[str] | int], states: Observations) -> np.ndarray:
        rows = np.zeros((len(targets), ACTIONS), dtype=np.float32)
        for row, (target, intents) in enumerate(zip(targets, self._candidate_intents(states), strict=True)):
            right = [target] if isinstance(target, int) else np.flatnonzero(np.isin(intents, list(target)))
            # Retrieval found no article that answers: a person has to.
            rows[row, right if len(right) else HAND_OVER] = 1.0 / max(len(right), 1)
        return rows
