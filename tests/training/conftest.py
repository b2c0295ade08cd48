"""The tasks of the pages about one's own task, as a reader would save them."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.main import app
from tests.folders import temporary_folder

PAGES = Path(__file__).parents[2] / "docs" / "own-task"


def steer(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None, done.exception
    return done.output


def page_code(page: str) -> str:
    """The one file that a page is about, of under a hundred lines."""
    [code] = re.findall(r"```python\n(.*?)```", (PAGES / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.splitlines()) < 100
    return code


def save_page(page: str, folder: Path) -> Path:
    """Save the page's task, and the data that it names, in a folder."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    (folder / "my_task.py").write_text(page_code(page), encoding="utf-8")
    for table in re.findall(r"```csv\n(.*?)```", text, re.DOTALL):
        (folder / "messages.csv").write_text(table, encoding="utf-8")
    for linked in re.findall(r"\]\((\w+\.csv)\)", text):
        shutil.copy(PAGES / linked, folder)
    return folder / "my_task.py"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Iterator[Callable[[str], Path]]:
    with ExitStack() as folders:
        yield lambda page: save_page(page, folders.enter_context(temporary_folder(tmp_path_factory, page)))
