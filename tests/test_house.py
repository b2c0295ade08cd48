"""The learning wing stands without the platform."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLATFORM = ("core.platform", "core.cli", "apps")
LIBRARIES = ("sqlalchemy", "fastapi", "typer", "rich", "gradio")


def loaded(program: str) -> set[str]:
    """The modules that a fresh interpreter has loaded at the end of a program."""
    program += "\nimport sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return set(done.stdout.splitlines())


def learning_modules() -> list[str]:
    files = (file.relative_to(ROOT).with_suffix("") for file in (ROOT / "core").glob("*/**/*.py"))
    names = (".".join(file.parts) for file in files if file.name != "__init__")
    return sorted(name for name in names if not name.startswith(PLATFORM))


def test_the_rooms_that_learn_load_no_database_no_web_server_and_no_command_line():
    assert loaded("import core.rl, core.envs, core.training, core.evaluation").isdisjoint(LIBRARIES)


def test_every_file_that_learns_works_where_the_platforms_libraries_are_not_installed():
    names = learning_modules()
    # None in the place of a module makes its import fail.
    found = loaded(f"import sys; sys.modules |= dict.fromkeys({LIBRARIES})\nimport {', '.join(names)}")
    assert {"core.rl.ppo", "core.evaluation.bootstrap", *names} <= found
    assert not [name for name in found if name.startswith(PLATFORM)]
