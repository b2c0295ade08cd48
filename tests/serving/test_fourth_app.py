"""A fourth app joins without an edit of the platform: its package, its tables, its routes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.training.run import Run
from core.training.train import train
from tests.core.bandit import Bandit, settings
from tests.folders import temporary_folder

ROOT = Path(__file__).parents[2]

FILES = {
    "fourth/__init__.py": "",
    "fourth/tables.py": """
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column
from core.platform.store.schema import Table

class Note(Table):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(80))
""",
    "fourth/migrations/0001_notes.py": """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None

def upgrade():
    op.create_table("notes", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("text", sa.String(80)))
""",
    "fourth/app.py": """
from dataclasses import dataclass
from fastapi import APIRouter
from sqlalchemy import select
from core.platform.apps.spec import AppSpec
from core.platform.apps.texts import Texts
from core.platform.inference.engine import Engine
from core.training.run import trained_policy
from fourth.tables import Note
from tests.core.bandit import Bandit

class Sorter:
    def __init__(self, task, run):
        self.policy = trained_policy(task, run)

    def sort(self, texts: list[str]) -> list[int]:
        return self.policy.predict({"text": tuple(texts)})[:, 0].tolist()

@dataclass(frozen=True)
class Model:
    task: Bandit
    engine: Engine[Sorter]

class Notes:
    def __init__(self, store, models, explorer):
        self.store, self.models = store, models

    async def add(self, text: str) -> int:
        def kept(session):
            session.add(Note(text=text))
        await self.store.write(kept)
        return await self.models.current[0].engine.answer(Sorter.sort, text)

def routes(notes: Notes) -> APIRouter:
    router = APIRouter()

    @router.post("")
    async def add(text: str) -> dict[str, object]:
        kind = await notes.add(text)
        stored = await notes.store.read(lambda session: list(session.scalars(select(Note.text))))
        return {"kind": kind, "stored": stored}

    return router

def page():
    raise AssertionError("a server without pages lays out none")

TEXTS = Texts("bandit", {"title": ("Notes", "笔记"), "summary": ("Sorted notes.", "分类的笔记。")})
app = AppSpec(Bandit.name, "notes", TEXTS, Bandit, Sorter, Model, Notes, routes, page)
""",
    "fourth-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: fourth\nVersion: 1.0\n",
    "fourth-1.0.dist-info/entry_points.txt": "[steer.apps]\nfourth = fourth.app:app\n\n"
    "[steer.tables]\nfourth = fourth.tables\n",
}

SERVE = """
import sys
from collections.abc import Iterator
from pathlib import Path
from fastapi.testclient import TestClient
from core.platform.pages.task_app import find_apps
from core.platform.server.application import Serving, create_app
from core.platform.store.database import open_store, sqlite_url

if __name__ == "__main__":
    runs = Path(sys.argv[1])
    store = open_store(sqlite_url(runs / "steer.db"))
    app = create_app(find_apps(["bandit"]), runs, store, Serving(pages=False))
    with TestClient(app, "http://localhost") as client:
        print(client.post("/v1/notes", params={"text": "the striker scored twice"}).raise_for_status().json())
        print(client.get("/ready").json())
    assert "gradio" not in sys.modules
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    with temporary_folder(tmp_path_factory, "fourth") as folder:
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (folder / "serve.py").write_text(SERVE)
        train(Bandit(settings()), Run(folder / "runs" / Bandit.name), lambda *_: None, lambda *_: None)
        yield folder


def test_a_fourth_app_is_served_with_tables_of_its_own(folder):
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}
    command = [sys.executable, str(folder / "serve.py"), str(folder / "runs")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "'stored': ['the striker scored twice']" in done.stdout
    assert "v0001" in done.stdout
