"""The recommender as a task: data, policy, reward and what to learn from."""

import copy
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from apps.recommender.candidates import FEATURES, CandidateBuilder
from apps.recommender.config import ShopConfig
from apps.recommender.data import ShopData
from apps.recommender.diversity import diverse_lists
from apps.recommender.environment import recommender_env
from apps.recommender.logs import feedback_decisions
from apps.recommender.reading import EventRow, ItemRow, check_shop_data, read_shop_data
from apps.recommender.retriever import RetrieverSettings
from apps.recommender.retriever_cache import open_retriever
from apps.recommender.rewards import ListReward, list_reward, scarcity
from apps.recommender.splits import PICKS, history_cuts
from core.envs.observations import Observations, take
from core.envs.play import Act, play
from core.envs.slate import SlateEnv
from core.models.actor_critic import ActorCritic, CandidateHead
from core.rl.off_policy import LoggedDecisions
from core.rl.supervised import Demonstrations
from core.training.feedback import DecisionWithFeedback
from core.training.settings import Settings
from core.training.task import Split, Task
from core.training.workspace import Workspace, WorkspaceReport, read_workspace

_EXAMPLE = Path(__file__).parent / "example"
_TRADE_OFFS = (0.0, *np.geomspace(0.25, 64.0, 17))


class Recommender(Task):
    """Order ten items for a user out of two hundred that a retriever found."""

    name: ClassVar[str] = "recommender"
    title: ClassVar[str] = "Recommender"
    config = ShopConfig
    workspace: ClassVar[Workspace[ShopConfig]] = read_workspace(_EXAMPLE, ShopConfig)
    template = _EXAMPLE.parent / "template"
    tables: ClassVar = {"items": ItemRow, "events": EventRow}
    data_card: ClassVar[str] = (_EXAMPLE / "README.md").read_text(encoding="utf-8")
    presets: ClassVar = {
        "quick": {
            "linear": {"iterations": 8, "batch_size": 64, "head_learning_rate": 3e-3, "patience": 3},
            "supervised": {
                "iterations": 8,
                "batch_size": 64,
                "learning_rate": 3e-4,
                "head_learning_rate": 3e-3,
                "patience": 3,
            },
            "rl": {
                "algorithm": "ppo",
                "iterations": 16,
                "batch_size": 256,
                "learning_rate": 1e-4,
                "head_learning_rate": 3e-3,
                "n_envs": 512,
                "n_steps": 2,
                "n_epochs": 2,
                "ent_coef": 0.0,
                "kl_coef": 0.0,
                "patience": 8,
            },
        },
    }

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.data: ShopData = read_shop_data(self.workspace)
        self._states: dict[Split, Observations] = {}

    @classmethod
    def check(cls) -> WorkspaceReport:
        return check_shop_data(cls.workspace)

    def data_fingerprint(self) -> str:
        return self.data.fingerprint

    @cached_property
    def builder(self) -> CandidateBuilder:
        """The first stage, trained on first use and shared by every environment and policy."""
        settings = RetrieverSettings(self.settings.encoder.name, self.settings.seed)
        return CandidateBuilder(self.data, open_retriever(self.data, settings, lambda text: print(f"  {text}")))

    @cached_property
    def reward(self) -> ListReward:
        """What a list is worth."""
        novelty = scarcity(self.builder.popularity, len(self.data.users))
        return list_reward(self.builder.distances, novelty, self.settings.rewards)

    def policy(self, *, frozen: bool = False) -> ActorCritic:
        encoder = copy.deepcopy(self.builder.retriever.encoder).requires_grad_(not frozen)
        head = CandidateHead(encoder.width, encoder.items, features=len(FEATURES))
        return ActorCritic(encoder, head, column="history", picks=PICKS)

    def environment(self, split: Split, num_envs: int | None = None, *, shuffle: bool = False) -> SlateEnv:
        cuts = history_cuts(self.data, split)
        return recommender_env(
            cuts, self._states_of(split), len(self.data.items), self.reward, num_envs or len(cuts), shuffle=shuffle
        )

    def demonstrations(self, split: Split) -> Demonstrations:
        """Each item that the user went on to like is an equally good first pick.

        Training leaves out the cuts whose candidates hold none of them.
        """
        states = self._states_of(split)
        relevant = [cut.relevant for cut in history_cuts(self.data, split)]
        right = np.array([np.isin(row, items) for row, items in zip(states["candidates"], relevant, strict=True)])
        targets = (right / np.maximum(right.sum(axis=1, keepdims=True), 1)).astype(np.float32)
        rows = np.flatnonzero(right.any(axis=1)) if split == "train" else np.arange(len(right))
        return Demonstrations(take(states, rows), targets[rows])

    def cost_optimal(self, policy: ActorCritic) -> Act:
        """Maximal marginal relevance over the supervised scores, its trade-off tuned on the validation reward.

        The reward of a list is known up to what the user will like. Its diversity is exactly what maximal marginal
        relevance adds at each position, so this is the greedy known-cost decision rule for lists; tuning the trade-off
        takes the place of calibrating the probabilities.
        """
        validation = self.environment("validation")
        rewards = [play(validation, self._varied(policy, trade_off)).returns.mean() for trade_off in _TRADE_OFFS]
        return self._varied(policy, _TRADE_OFFS[int(np.argmax(rewards))])

    def feedback_decisions(self, judged: Sequence[DecisionWithFeedback]) -> LoggedDecisions | None:
        return feedback_decisions(judged, self.builder, self.reward)

    def rules(self) -> dict[str, Act]:
        return {"popularity": _best_by("popularity"), "item_to_item": _best_by("co_occurrence")}

    def _varied(self, policy: ActorCritic, trade_off: float) -> Act:
        def act(states: Observations) -> np.ndarray:
            distances = self.builder.distances.within(np.asarray(states["candidates"]))
            return diverse_lists(policy.logits(states).numpy(), distances, trade_off, PICKS)

        return act

    def _states_of(self, split: Split) -> Observations:
        if split not in self._states:
            cuts = history_cuts(self.data, split)
            self._states[split] = self.builder.states([cut.liked for cut in cuts], [cut.seen for cut in cuts])
        return self._states[split]


def _best_by(feature: str) -> Act:
    """The candidates with the highest value of one feature."""
    column = list(FEATURES).index(feature)

    def act(states: Observations) -> np.ndarray:
        values = np.where(np.asarray(states["candidates"]) < 0, -np.inf, np.asarray(states["features"])[:, :, column])
        return np.argsort(-values, axis=1, kind="stable")[:, :PICKS]

    return act
