"""`benchmarks.house.opening` by the names of revision 00ededc, before there were wings."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from core.config import load_settings
from core.serving.access import Principal
from core.serving.application import opened_service
from core.serving.explore import Explorer
from core.store.database import open_store, sqlite_url
from core.versions.library import VERSIONS, Library
from core.versions.live import Live
from fastapi import FastAPI

from apps.customer_service.task import CustomerService
from apps.customer_service.ui import page as support
from apps.finance_monitor.task import FinanceMonitor
from apps.finance_monitor.ui import page as monitor
from apps.recommender.task import Recommender
from apps.recommender.ui import page as recommender
from core.models.policy import Policy
from core.rl.learner import Learner
from core.training import Run, rl_algorithm, trained_policy

ADMIN = Principal("local", "admin")
LIKES = ({"kind": "like", "film": 1}, {"kind": "like", "film": 5})
APPS = ((CustomerService, support), (FinanceMonitor, monitor), (Recommender, recommender))


def open_api(runs: Path, store: Path) -> FastAPI:
    """The routes of every app, engines in this process."""
    opened, api = open_store(sqlite_url(store)), FastAPI()
    library = Library(opened, store.parent / VERSIONS)
    for task, page in APPS:
        library.adopt(task, runs, ADMIN.name)
        live = Live(library, page.name, partial(opened_service, page, apart=False))
        live.close()  # looking for newer versions is no part of a request
        api.include_router(page.routes(page.open_desk(opened, live, Explorer())), prefix="/v1")
    return api


def warm_start(runs: Path) -> Policy:
    """The support bot's policy that RL begins with."""
    return trained_policy(_task(runs), Run(runs / CustomerService.name), "supervised")


def update(runs: Path, policy: Policy, overrides: Sequence[str], scratch: Path) -> None:
    """Train a policy of the support bot by RL for an iteration."""
    task = _task(runs, overrides)
    learner = Learner(
        policy,
        rl_algorithm(task, policy),
        task.settings.rl,
        validate=lambda policy: 0.0,
        folder=scratch,
        fingerprint="",
        seed=0,
        report=lambda *progress: None,
    )
    learner.iterate(0)


def _task(runs: Path, overrides: Sequence[str] = ()) -> CustomerService:
    return CustomerService(load_settings({}, runs / CustomerService.name / "settings.yaml", overrides))
