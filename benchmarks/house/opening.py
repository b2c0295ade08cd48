"""The apps and the training of the support bot, by the names of this revision; see `benchmarks.house.walks`."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI

from apps.customer_service.task import CustomerService
from core.models.policy import Policy
from core.platform.apps.opening import open_app
from core.platform.apps.spec import installed_apps
from core.platform.auth.access import Principal
from core.platform.store.database import open_store, sqlite_url
from core.rl.explore import Explorer
from core.rl.learner import Learner
from core.training.run import Run, trained_policy
from core.training.settings import load_settings, read_settings
from core.training.stages import ReinforcementLearning

ADMIN = Principal("local", "admin")
LIKES = ({"kind": "like", "item": "1"}, {"kind": "like", "item": "5"})


def open_api(runs: Path, store: Path) -> FastAPI:
    """The routes of every app, engines in this process."""
    opened, api = open_store(sqlite_url(store)), FastAPI()
    for spec in installed_apps():
        app = open_app(spec, runs, opened, Explorer(), adopted_by=ADMIN.name, apart=False)
        app.live.close()  # looking for newer versions is no part of a request
        api.include_router(spec.api(app.service), prefix=f"/v1/{spec.path}")
    return api


def warm_start(runs: Path) -> Policy:
    """The support bot's policy that RL begins with."""
    return trained_policy(_task(runs), Run(runs / CustomerService.name), "supervised")


def update(runs: Path, policy: Policy, overrides: Sequence[str], scratch: Path) -> None:
    """Train a policy of the support bot by RL for an iteration."""
    task = _task(runs, overrides)
    learner = Learner(
        policy,
        ReinforcementLearning().algorithm(task, policy),
        task.settings.rl,
        validate=lambda policy: 0.0,
        folder=scratch,
        fingerprint="",
        seed=0,
        report=lambda *progress: None,
    )
    learner.iterate(0)


def _task(runs: Path, overrides: Sequence[str] = ()) -> CustomerService:
    return CustomerService(
        load_settings(read_settings(runs / CustomerService.name / "settings.yaml"), overrides=overrides)
    )
