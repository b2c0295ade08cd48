"""Any task as an app: its policy behind an HTTP API with decisions and feedback, and a plain page.

What a task says of JSON (`Task.observation`, `Task.describe_action`) is all that it takes: `steer serve my_task.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from core.envs.observations import Observations, join, take
from core.models.actor_critic import ActorCritic
from core.platform.apps.spec import AnyApp, AppSpec, Page, installed_apps, workspace_app
from core.platform.apps.texts import Texts
from core.platform.auth.access import CurrentPrincipal, Principal
from core.platform.http.parameters import RequestBody
from core.platform.inference.drift import WATCH
from core.platform.inference.engine import Engine
from core.platform.inference.metrics import DECISIONS, FEEDBACK
from core.platform.store import decisions
from core.platform.store.database import Session, Store
from core.platform.versions.live import LiveModel
from core.rl.explore import Explorer
from core.training.loader import load_task
from core.training.run import Run, trained_policy
from core.training.task import Task
from core.util.errors import NotFoundError, SteerError


@dataclass(frozen=True)
class Asked:
    """A request to decide: JSON values by name, and how to pick."""

    inputs: Mapping[str, Any]
    explorer: Explorer


@dataclass(frozen=True)
class Decided:
    """A decision of the policy.

    Attributes:
        action: Identity of the action, as `Task.describe_action` names it.
        propensity: Probability with which it is taken.
        confidence: Policy's own probability of its first pick; None for a policy that writes.
    """

    action: Any
    propensity: float
    confidence: float | None


class TaskEngine:
    """Decides by a task's trained policy.

    Args:
        task: Task as its run was trained.
        run: Run with the policy.

    Raises:
        SteerError: The run holds none.
    """

    def __init__(self, task: Task, run: Run) -> None:
        self.task, self.policy = task, trained_policy(task, run)

    def decide(self, asked: list[Asked]) -> list[Decided]:
        """The decision on each request.

        Raises:
            SteerError: The task or its policy cannot read what a request says.
        """
        with self._unreadable():
            states = [self.task.observation(request.inputs) for request in asked]
            for state in states:
                self.policy.lengths(state)  # each by itself: beside a text, a number would pass for one
            return self._decide(asked, join(states))

    def _decide(self, asked: list[Asked], states: Observations) -> list[Decided]:
        if not isinstance(self.policy, ActorCritic):
            actions = self.policy.predict(states)
            return [Decided(self.task.describe_action(action), 1.0, None) for action in actions]
        logits = self.policy.logits(states).double().numpy()
        each = zip(asked, logits, range(len(logits)), strict=True)
        return [self._choose(request.explorer, ours, take(states, [row])) for request, ours, row in each]

    def _choose(self, explorer: Explorer, logits: np.ndarray, state: Observations) -> Decided:
        assert isinstance(self.policy, ActorCritic)
        probs = torch.from_numpy(logits).softmax(0).numpy()
        if not np.isfinite(probs).all():
            raise ValueError("they lead to probabilities that are no numbers")
        if self.policy.picks > 1:
            action, propensity = explorer.rank(self.policy.distribution(torch.from_numpy(logits)[None], state))
        else:
            choice, propensity = explorer.choose(probs)
            action = np.array([choice])
        return Decided(self.task.describe_action(action), propensity, float(probs[action[0]]))

    @contextmanager
    def _unreadable(self) -> Iterator[None]:
        try:
            yield
        except (LookupError, AttributeError, TypeError, ValueError, RuntimeError) as error:
            raise SteerError(f"{self.task.name} cannot read these inputs: {error!r}") from error


@dataclass(frozen=True)
class TaskModel:
    """One version of a task's policy."""

    task: Task
    engine: Engine[TaskEngine]


class TaskService:
    """Decides, and keeps every decision and the opinions about it.

    Args:
        store: Store of decisions and feedback.
        models: Model of the version that serves at the moment.
        explorer: Explorer that picks actions by their probability.
    """

    def __init__(self, store: Store, models: LiveModel[TaskModel], explorer: Explorer) -> None:
        self.name = models.current[0].task.name
        self.store, self.models, self.explorer = store, models, explorer

    async def decide(self, principal: Principal, inputs: Mapping[str, Any]) -> tuple[str, Decided]:
        """A decision and the id under which it is kept.

        Raises:
            SteerError: The task cannot read the inputs.
        """
        model, version = self.models.current
        decided = await model.engine.answer(TaskEngine.decide, Asked(inputs, self.explorer))
        state = {"inputs": dict(inputs), "confidence": decided.confidence}

        def kept(session: Session) -> str:
            principal.hold(session)
            return decisions.keep(
                session,
                app=self.name,
                owner=principal.name,
                version=version,
                state=state,
                action=decided.action if isinstance(decided.action, list) else [decided.action],
                propensity=decided.propensity,
            )

        decision_id = await self.store.write(kept)
        DECISIONS.labels(self.name, version, "decision").inc()
        if decided.confidence is not None:
            WATCH.note(self.name, "inputs", decided.confidence)
        return decision_id, decided

    async def judge(self, principal: Principal, decision_id: str, value: float, comment: str = "") -> None:
        """Keep what the principal thinks of a decision.

        Raises:
            NotFoundError: There is no such decision that they may see.
        """

        def kept(session: Session) -> None:
            principal.hold(session)
            found = decisions.find(session, self.name, decision_id)
            if found is None or not principal.may_see(found.owner):
                raise NotFoundError("There is no such decision of yours.")
            metadata = {"comment": comment} if comment else {}
            decisions.judge(session, decision_id, principal.name, value, metadata)

        await self.store.write(kept)
        FEEDBACK.labels(self.name, "good" if value > 0 else "bad").inc()
        WATCH.note(self.name, "outcomes", value)


class DecisionRequest(RequestBody):
    """A state to decide about."""

    inputs: dict[str, Any] = Field(min_length=1, description="Values of the state by name, such as text.")


class DecisionMade(BaseModel):
    """A decision of the policy."""

    id: str = Field(description="Id of the decision, to judge it by.")
    action: Any
    propensity: float
    confidence: float | None


class Opinion(RequestBody):
    """An opinion about a decision."""

    value: float = Field(
        strict=True, ge=-1, le=1, allow_inf_nan=False, description="Opinion from -1 (wrong) to 1 (right)."
    )
    comment: str = Field(default="", max_length=2_000)


DecisionId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of a decision.")]


def find_apps(names: Sequence[str]) -> list[AnyApp]:
    """The apps of some names, each as `load_task` knows it; without names, all installed ones.

    Raises:
        SteerError: There is no such app, workspace or file, or two of them have one name.
    """
    installed = {spec.name: spec for spec in installed_apps()}
    if not names:
        return list(installed.values())
    specs = [installed.get(name.replace("-", "_")) or _own_app(load_task(name)) for name in names]
    by_name: dict[str, AnyApp] = {}
    for name, spec in zip(names, specs, strict=True):
        if by_name.setdefault(spec.name, spec) is not spec:
            raise SteerError(f"{name}: another one is called {spec.name}, too; a server tells them apart by name")
    return specs


def _own_app(task: type[Task]) -> AnyApp:
    return task_app(task) if task.workspace is None else workspace_app(task)


def task_app(task: type[Task]) -> AppSpec[TaskEngine, TaskModel, TaskService]:
    """The app of a task that has none of its own."""

    def routes(service: TaskService) -> APIRouter:
        router = APIRouter(tags=[task.title])

        @router.post("/decisions", status_code=201)
        async def decide(principal: CurrentPrincipal, body: DecisionRequest) -> DecisionMade:
            """Decide about a state; the decision is kept with its propensity."""
            decision_id, decided = await service.decide(principal, body.inputs)
            return DecisionMade(id=decision_id, **vars(decided))

        @router.put("/decisions/{decision_id}/feedback", status_code=204)
        async def judge(principal: CurrentPrincipal, decision_id: DecisionId, body: Opinion) -> Response:
            """Say what you think of a decision; a later opinion of yours replaces the earlier one."""
            await service.judge(principal, decision_id, body.value, body.comment)
            return Response(status_code=204)

        return router

    def page() -> Page[TaskService]:
        from core.platform.pages.task_page import TEXTS, build

        return Page(build, lambda service: [], lambda service: (TEXTS,))

    return AppSpec(
        name=task.name,
        path=task.name,
        texts=Texts(task.name, {"title": (task.title, task.title), "summary": (_summary(task), _summary(task))}),
        task=task,
        engine=TaskEngine,
        model=TaskModel,
        service=TaskService,
        api=routes,
        page=page,
    )


def _summary(task: type) -> str:
    return (task.__doc__ or "").strip().split("\n\n")[0]
