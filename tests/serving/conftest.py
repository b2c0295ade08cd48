"""A small task to serve where the apps have nothing to say, and a visitor to the pages of those that have."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.training.run import Run
from core.training.train import train
from tests.core import bandit
from tests.folders import temporary_folder

TASK = bandit.__file__


@pytest.fixture(scope="package")
def small_run(tmp_path_factory) -> Iterator[Path]:
    """Folder of a trained run of the task in `TASK`."""
    with temporary_folder(tmp_path_factory, "small") as folder:
        run = Run(folder / bandit.Bandit.name)
        train(bandit.Bandit(bandit.settings()), run, lambda *_: None, lambda *_: None)
        (run.model("rl") / "encoder" / "model.safetensors").unlink()  # never read; 90 MB less
        yield run.folder


@pytest.fixture
def small_runs(small_run, tmp_path) -> Path:
    """Folder of runs of one's own, with that one."""
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / small_run.name).symlink_to(small_run)
    return folder


@pytest.fixture
def page(browser, server):
    """A fresh visitor; whatever the page asks of another host fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", base_url=server)
    context.set_default_timeout(30_000)
    outside: list[str] = []
    errors: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: outside.append(request.url) if not _is_local(request.url, server) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert outside == []
    assert errors == []


def _is_local(url: str, server: str) -> bool:
    return url.startswith((server, server.replace("http", "ws"), "data:", "blob:"))
