"""`steer` as a user types it, in this process: what it takes to import everything is paid once."""

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest

from core.cli.main import main
from core.cli.options import console


@dataclass(frozen=True)
class Done:
    """What a command left.

    Attributes:
        returncode: Exit status.
        stdout: What it printed.
        stderr: What it printed about itself.
    """

    returncode: int
    stdout: str
    stderr: str


def steer(*arguments: str, typed: str = "", **variables: str) -> Done:
    """Run a command.

    Args:
        *arguments: What stands behind `steer`.
        typed: What is typed into it; where that ends, nobody is there.
        **variables: Environment variables; lines are 200 characters wide without any.
    """
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in {"COLUMNS": "200", **variables}.items():
            patch.setenv(name, value)
        patch.setattr(console, "width", int(os.environ["COLUMNS"]))  # it knows that of the first command
        patch.setattr(sys, "argv", ["steer", *arguments])
        patch.setattr(sys, "stdin", io.StringIO(typed))
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
    return Done(status, out.getvalue(), err.getvalue())
