"""Task: the one thing that an app, or a user, plugs into the core."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from pydantic import BaseModel

from core.data.sources import Records, open_source
from core.data.splits import Split, Splits, halves_of
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Column, Observations
from core.envs.play import Act
from core.evaluation.cost_optimal import fit_temperatures, minimum_expected_cost
from core.evaluation.labels import OptionLabels
from core.models.actor_critic import ActorCritic
from core.models.policy import Policy
from core.models.rule_head import calibrated, factors_of
from core.rl.all_action import ActionValues
from core.rl.all_pick import OptionRewards
from core.rl.off_policy import LoggedDecisions
from core.rl.supervised import Demonstrations
from core.training.feedback import DecisionWithFeedback
from core.training.settings import Settings
from core.training.source import source_fingerprint
from core.training.stages import LinearProbe, ReinforcementLearning, Stage, WarmStart
from core.training.workspace import Workspace, WorkspaceConfig, WorkspaceReport
from core.util.errors import SteerError

PolicyT = TypeVar("PolicyT", bound=Policy)


class Task(ABC, Generic[PolicyT]):
    """Data, reward and policy of one piece of work.

    A subclass sets `name` and `title`, makes a `policy`, and says what to learn from: an `environment`, or
    `logged_decisions`. Whatever else it implements adds a stage or a baseline; what a task does not have is None.
    `docs/own-task.md` shows a whole task of each kind.

    Attributes:
        name: Name of the task on the command line and of its run folder.
        title: Name of the task for people.
        data_card: Markdown that says where the data come from, for the model card.
        presets: Settings by preset name; each must have `quick`.
        action_labels: Names of the actions, in their order, by which logs and programs speak of them.
        preset: Name of the preset that is meant where none is named.
        source: Name, folder or file by which `core.training.loader.load_task` finds the task in any process.
        config: Model of the `steer.yaml` of its workspaces; None for a task that takes none.
        workspace: Workspace whose data it learns from.
        template: Folder with a small workspace, which `steer new` copies.
        tables: Model of the rows of each table of its workspaces, by its key in `steer.yaml`; pages show by it which
            columns there may be.
        rows: Rows of each split, where the task keeps its data as data sets (`core.data.splits`): a change of them is
            then seen without a `data_fingerprint` of the task's own.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    data_card: ClassVar[str] = ""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {}}
    preset: ClassVar[str] = "quick"
    action_labels: ClassVar[Sequence[str]] = ()
    source: ClassVar[str] = ""
    config: ClassVar[type[WorkspaceConfig] | None] = None
    workspace: ClassVar[Workspace[Any] | None] = None
    template: ClassVar[Path | None] = None
    tables: ClassVar[Mapping[str, type[BaseModel]]] = {}
    rows: Splits | None = None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    def policy(self, *, frozen: bool = False) -> PolicyT:
        """A fresh policy on the pretrained model; `frozen` trains the heads alone (asked for by `LinearProbe`)."""

    # What is learnt from: one of the two at least.

    def environment(self, split: Split, num_envs: int | None = None, *, shuffle: bool = False) -> EpisodeEnv | None:
        """Environment over a split; by default as many side by side as the split has episodes."""
        return None

    def logged_decisions(self, split: Split) -> LoggedDecisions | None:
        """Decisions of a split that some policy once made, with their propensities and what came of them.

        A task without an environment is validated and evaluated on them (`core.evaluation.off_policy`).
        """
        return None

    @classmethod
    def check(cls) -> WorkspaceReport:
        """What there is to say of the workspace before anything is learnt from it.

        Raises:
            SteerError: The task has none, or one of its tables cannot be read at all.
        """
        raise SteerError(f"{cls.name} has no workspace to check")

    @classmethod
    def open_table(cls, key: str, source: Path) -> Records:
        """Open a table of a workspace as it was found, for whoever says which column is which.

        Args:
            key: Key of the table in `steer.yaml`.
            source: File, or folder of files.

        Raises:
            SteerError: There is no such table.
        """
        del key  # one format is read under every key
        return open_source(source)

    @classmethod
    def usual_columns(cls, key: str, records: Records, columns: Mapping[str, str]) -> Mapping[str, str]:
        """The column of each field that is called otherwise: the chosen ones, and those that a format always calls so.

        Args:
            key: Key of the table in `steer.yaml`.
            records: Table, opened.
            columns: Columns that `steer.yaml` chooses.
        """
        del key, records
        return columns

    def data_fingerprint(self) -> str:
        """Changes whenever the data do.

        The default is enough where they are `rows`, whose fingerprints `datasets` knows, or stand in the task's own
        file.
        """
        if self.rows is None:
            return source_fingerprint(type(self))
        return "".join(part._fingerprint for part in self.rows.values())

    # What else is known of the right actions: each adds stages, baselines, or an algorithm.

    def demonstrations(self, split: Split) -> Demonstrations | None:
        """States of a split with what should be done in them, for a linear probe and a supervised warm start."""
        return None

    def halves(self, column: Column) -> np.ndarray:
        """Which half of the data each state belongs to, by what the policy's encoder reads of it.

        What RL learns about beliefs holds for beliefs about what is new, so the stage `CrossFit` makes them of two
        halves. All states of an episode have to fall into one, and whatever looks alike should. The default goes by the
        value itself, for tasks of one decision.

        Args:
            column: Column of any number of states.

        Returns:
            bool of shape (states,).
        """
        return halves_of(column)

    def reward_table(self, states: Observations) -> np.ndarray | None:
        """Reward of each action when an option is right, for the cost-optimal baseline.

        Returns:
            float32 of shape (options, actions), or (states, options, actions) where it differs from state to state.
            Actions that are never right themselves, such as to abstain, stand last and need no row.
        """
        return None

    def labelled_states(self, split: Split) -> tuple[Observations, Mapping[str, np.ndarray]] | None:
        """States of a split with the right label of each, int64 of shape (states,), by question.

        Accuracy, F1, the honesty of beliefs, and a baseline of logistic regression are measured on them.
        """
        return None

    def option_labels(self, states: Observations) -> OptionLabels:
        """What each option of some states says in answer to the questions of `labelled_states`."""
        raise NotImplementedError(f"{self.name} has labelled_states; implement option_labels")

    def all_rewards(self, split: Split) -> tuple[Observations, np.ndarray] | None:
        """States of a one-decision task with the reward of every action, for the exact policy gradient."""
        return None

    def action_values(self) -> tuple[Observations, ActionValues]:
        """Training states, and what every action in them is worth, for the exact policy gradient.

        The default serves tasks of one decision, where that is the reward whatever the policy.

        Raises:
            SteerError: The task cannot tell the reward of every action.
        """
        known = self.all_rewards("train")
        if known is None:
            raise SteerError(f"{self.name} cannot tell the reward of every action; set rl.algorithm=ppo")
        observations, rewards = known
        return observations, lambda policy: rewards

    def option_rewards(self) -> tuple[Observations, OptionRewards]:
        """Training states of a task of lists, and the reward of every option at every pick of given lists.

        Raises:
            SteerError: The task cannot tell them.
        """
        raise SteerError(f"{self.name} cannot tell the reward of every option of a list; set rl.algorithm=ppo")

    def stages(self) -> Sequence[Stage]:
        """The stages of training, in order.

        The last one is called `rl`: its policy is compared with the others', published and served. The default is RL
        from a fresh policy, after a linear probe and a supervised warm start where there are `demonstrations`.
        """
        if type(self).demonstrations is Task.demonstrations:
            return (ReinforcementLearning(),)
        return LinearProbe(), WarmStart(), ReinforcementLearning(after=WarmStart.name)

    def rules(self) -> dict[str, Act]:
        """Baselines of the task's own that need no training, by name."""
        return {}

    def measures(self, split: Split, act: Act) -> Mapping[str, float]:
        """What a decision rule reaches on a split by the field's own measures, by name; they stand beside the reward.

        Args:
            split: Split whose states are decided on.
            act: Decision rule.
        """
        del split, act
        return {}

    def cost_optimal(self, policy: PolicyT) -> Act | None:
        """The best decision rule over a supervised policy's probabilities; its temperature is fitted on validation."""
        held_out = self.demonstrations("validation")
        if held_out is None or not isinstance(policy, ActorCritic) or self.reward_table(held_out.observations) is None:
            return None
        factors = factors_of(policy.head)
        temperature = fit_temperatures(policy.logits(held_out.observations), held_out, factors)

        def act(states: Observations) -> np.ndarray:
            table = self.reward_table(states)
            assert table is not None
            return minimum_expected_cost(calibrated(policy.logits(states), temperature, factors), table, 1.0)

        return act

    def state_vectors(self, states: Observations) -> np.ndarray:
        """Vectors of states on which the rewards of logged decisions are regressed, float32 of shape (states, width).

        The default takes the frozen encoder's.

        Raises:
            SteerError: The policy has no encoder.
        """
        policy = self._frozen_policy
        if not isinstance(policy, ActorCritic):
            raise SteerError(
                f"{self.name} is evaluated on a log, and its policy has no encoder; implement state_vectors"
            )
        with torch.no_grad():
            (vectors,) = policy.in_buckets(lambda some: (policy.encoder(some[policy.column]),), states)
        return vectors.float().cpu().numpy()

    @cached_property
    def _frozen_policy(self) -> PolicyT:
        """The same one in every process, also where heads and encoders begin at random; it remembers texts."""
        with torch.random.fork_rng():
            torch.manual_seed(self.settings.seed)
            return self.policy(frozen=True).eval()

    # What serving needs: JSON values in, JSON values out, and opinions back.

    def observation(self, inputs: Mapping[str, Any]) -> Observations:
        """The state that a program describes, as a batch of one.

        The default takes each value for the state's column of that name: a text as it is, numbers as an array.

        Args:
            inputs: JSON values by name.
        """
        return {name: _column(value) for name, value in inputs.items()}

    def describe_action(self, action: np.ndarray) -> Any:
        """The JSON value that names an action by its identity, for answers and logs.

        The default gives the label of each pick (its number where there are no labels), and of a single pick that
        alone.

        Args:
            action: Picks of one state, int64 of shape (picks,).
        """
        names = [self.action_labels[pick] if self.action_labels else int(pick) for pick in action]
        return names[0] if len(names) == 1 else names

    def feedback_decisions(self, judged: Sequence[DecisionWithFeedback]) -> LoggedDecisions | None:
        """What serving decided and people judged, as a log to learn from, on the scale of the task's own reward.

        Args:
            judged: Decisions as the app has stored them, oldest first.

        Returns:
            One row for each decision that can still be understood, in the same order (what it was about may be gone);
            None where there is none.

        Raises:
            SteerError: The task does not learn from feedback.
        """
        raise SteerError(f"{self.name} does not learn from feedback; implement feedback_decisions")


def greedy(policy: Policy) -> Act:
    """Take the policy's most probable action."""
    return policy.predict


def _column(value: Any) -> Column:
    return (value,) if isinstance(value, str) else np.asarray([value])
