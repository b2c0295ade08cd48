"""The recommender as a task: data, policy, reward and what to learn from."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from apps.recommender.candidates import FEATURES, CandidateBuilder
from apps.recommender.config import ShopConfig
from apps.recommender.data import ShopData
from apps.recommender.diversity import Distances, diverse_lists
from apps.recommender.environment import recommender_env
from apps.recommender.formats import open_shop_table, usual_columns
from apps.recommender.list_rule import ListRule, best_trade_off, open_rule
from apps.recommender.logs import feedback_decisions
from apps.recommender.movielens import Part
from apps.recommender.ranking import ranking_measures
from apps.recommender.reading import EventRow, ItemRow, check_shop_data, read_shop_data
from apps.recommender.retriever import Retriever, RetrieverSettings
from apps.recommender.retriever_cache import open_retriever
from apps.recommender.rewards import ListReward, Options, Taste, list_reward, option_reward, scarcity
from apps.recommender.splits import PICKS, history_cuts, known_histories, retriever_histories
from core.data.sources import Records
from core.envs.observations import Observations, join, take
from core.envs.play import Act
from core.envs.slate import SlateEnv
from core.models.actor_critic import ActorCritic
from core.models.diverse_list import DiverseListHead, DiverseListPolicy
from core.models.policy import Policy
from core.rl.all_pick import OptionRewards
from core.rl.off_policy import LoggedDecisions
from core.rl.supervised import Demonstrations
from core.training.feedback import DecisionWithFeedback
from core.training.settings import Settings
from core.training.stages import ReinforcementLearning, Stage, TrainedPolicy, WarmStart
from core.training.task import Split, Task
from core.training.workspace import Workspace, WorkspaceReport, read_workspace

_FOLDS = 5
# So much of the best score more makes an item e times likelier.
_SHARPNESS = 5.0
_EXAMPLE = Path(__file__).parent / "example"
_TRADE_OFFS = (0.0, *np.geomspace(0.25, 64.0, 17))


class ListLearning(ReinforcementLearning):
    """RL of how scores and distances make a list; the relevance of single items stays as supervision learnt it.

    Relevance that is learnt from the few right items of whole lists holds for the training windows alone.
    """

    def begin(self, task: Task, policy: Policy) -> Policy:
        assert isinstance(policy, DiverseListPolicy)
        policy.head.correction.requires_grad_(False)
        return policy

    def end(self, task: Task, policy: Policy, trained: TrainedPolicy) -> Policy:
        assert isinstance(policy, DiverseListPolicy)
        policy.head.correction.requires_grad_(True)  # it belongs to what is kept
        return policy


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
            "supervised": {
                "iterations": 8,
                "batch_size": 64,
                "head_learning_rate": 3e-3,
                "weight_decay": 0.05,
                "patience": 3,
            },
            "rl": {
                "algorithm": "all_pick",
                "iterations": 4,
                "batch_size": 64,
                "head_learning_rate": 3e-3,
                "weight_decay": 0.05,
                "ent_coef": 0.0,
                "kl_coef": 0.0,
                "patience": 4,
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

    @classmethod
    def open_table(cls, key: str, source: Path) -> Records:
        return open_shop_table(source, _part(key))

    @classmethod
    def usual_columns(cls, key: str, records: Records, columns: Mapping[str, str]) -> Mapping[str, str]:
        return usual_columns(records, _part(key), columns)

    def data_fingerprint(self) -> str:
        return self.data.fingerprint

    def stages(self) -> Sequence[Stage]:
        """Supervision improves on the best known rule, see `core.models.diverse_list`, and RL on supervision."""
        return WarmStart(), ListLearning(after=WarmStart.name)

    @cached_property
    def retriever(self) -> Retriever:
        """Film vectors and the transformer over histories, trained on first use."""
        settings = RetrieverSettings(self.settings.encoder.name, self.settings.seed)
        return open_retriever(self.data, settings, lambda text: print(f"  {text}"))

    @cached_property
    def rule(self) -> ListRule:
        """The best known rule, chosen on first use."""
        return open_rule(self.data, self.distances, self.reward, self.settings.rewards)

    @cached_property
    def builder(self) -> CandidateBuilder:
        """The first stage as it serves: fitted on all likes before the test's cut."""
        return self._builder_on(known_histories(self.data, "test").values())

    @cached_property
    def distances(self) -> Distances:
        """How different items are."""
        return Distances(self.data, self.retriever.texts)

    @cached_property
    def reward(self) -> ListReward:
        """What a list is worth."""
        return list_reward(self.distances, self._novelty, self.settings.rewards)

    @cached_property
    def _novelty(self) -> np.ndarray:
        # By the oldest likes, whatever the split: an item must not be worth less the later one asks.
        likes = np.bincount(np.concatenate(retriever_histories(self.data)), minlength=len(self.data.items))
        return scarcity(likes, len(self.data.users))

    def policy(self, *, frozen: bool = False) -> DiverseListPolicy:
        del frozen  # the encoder is the critic's alone, and stays as it is
        head = DiverseListHead(len(FEATURES), sharpness=_SHARPNESS, trade_off=self.rule.trade_off)
        distances = self.distances
        return DiverseListPolicy(
            copy.deepcopy(self.retriever.encoder),
            head,
            lambda states: distances.within(np.maximum(np.asarray(states["candidates"]), 0)),
            column="history",
            picks=PICKS,
        )

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

    def option_rewards(self) -> tuple[Observations, OptionRewards]:
        cuts, states = history_cuts(self.data, "train"), self._states_of("train")
        candidates = np.asarray(states["candidates"])
        reward = option_reward(self.distances, self._novelty, self.settings.rewards)

        def rewards(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            taste = Taste.of_likes([cuts[row].relevant for row in rows])
            earned: np.ndarray = reward([cuts[row].liked for row in rows], Options(candidates[rows], columns), taste)
            return earned

        return states, rewards

    def measures(self, split: Split, act: Act) -> dict[str, float]:
        states, relevant = self._states_of(split), [cut.relevant for cut in history_cuts(self.data, split)]
        lists = np.take_along_axis(np.asarray(states["candidates"]), act(states), axis=1)
        return ranking_measures(lists, relevant, self.distances, len(self.data.items))

    def cost_optimal(self, policy: ActorCritic) -> Act:
        """Maximal marginal relevance over the supervised scores, its trade-off tuned on the validation reward.

        The reward of a list is known up to what the user will like. Its diversity is exactly what maximal marginal
        relevance adds at each position, so this is the greedy known-cost decision rule for lists; tuning the trade-off
        takes the place of calibrating the probabilities.
        """
        cuts, states = history_cuts(self.data, "validation"), self._states_of("validation")
        candidates, relevance = np.asarray(states["candidates"]), policy.logits(states).numpy()
        trade_off = best_trade_off(_TRADE_OFFS, candidates, relevance, cuts, self.distances, self.reward)
        return lambda states: self._by_relevance(policy.logits(states).numpy(), states, trade_off)

    def feedback_decisions(self, judged: Sequence[DecisionWithFeedback]) -> LoggedDecisions | None:
        return feedback_decisions(judged, self.builder, self.reward)

    def rules(self) -> dict[str, Act]:
        def by_rule(states: Observations) -> np.ndarray:
            return self._by_relevance(np.asarray(states["features"])[:, :, 0], states, self.rule.trade_off)

        return {
            "popularity": _best_by("popularity"),
            "item_to_item": _best_by("co_occurrence"),
            "retriever": _best_by("retriever"),
            "ease": _best_by("ease"),
            "ease_mmr": by_rule,
        }

    def _by_relevance(self, relevance: np.ndarray, states: Observations, trade_off: float) -> np.ndarray:
        candidates = np.asarray(states["candidates"])
        there = np.where(candidates < 0, -np.inf, relevance)
        return diverse_lists(there, self.distances.within(candidates), trade_off, PICKS)

    def _builder_on(self, histories: Iterable[np.ndarray]) -> CandidateBuilder:
        return CandidateBuilder(self.data, self.retriever, list(histories), self.rule)

    def _states_of(self, split: Split) -> Observations:
        if split not in self._states:
            self._states[split] = self._train_states() if split == "train" else self._known_states(split)
        return self._states[split]

    def _known_states(self, split: Split) -> Observations:
        cuts = history_cuts(self.data, split)
        builder = self.builder if split == "test" else self._builder_on(known_histories(self.data, split).values())
        return builder.states([cut.liked for cut in cuts], [cut.seen for cut in cuts])

    def _train_states(self) -> Observations:
        """States of the training windows, by what the others like: a user's own likes hold the window's targets."""
        cuts, known = history_cuts(self.data, "train"), known_histories(self.data, "validation")
        fold = {user: at % _FOLDS for at, user in enumerate(known)}
        parts, order = [], []
        for number in range(_FOLDS):
            builder = self._builder_on(likes for user, likes in known.items() if fold[user] != number)
            rows = [row for row, cut in enumerate(cuts) if fold[cut.user] == number]
            if rows:
                parts.append(builder.states([cuts[row].liked for row in rows], [cuts[row].seen for row in rows]))
                order += rows
        return take(join(parts), np.argsort(order))


def _best_by(feature: str) -> Act:
    """The candidates with the highest value of one feature."""
    column = list(FEATURES).index(feature)

    def act(states: Observations) -> np.ndarray:
        values = np.where(np.asarray(states["candidates"]) < 0, -np.inf, np.asarray(states["features"])[:, :, column])
        return np.argsort(-values, axis=1, kind="stable")[:, :PICKS]

    return act


def _part(key: str) -> Part:
    return "items" if key == "items" else "events"
