"""`make mutants`: breaks the code in many small ways and tells which of them no test notices.

mutmut makes the mutants of the modules that `[tool.mutmut]` in pyproject.toml lists and runs, for each, the tests there
that reach it. It changes functions only, not constants of a module nor properties: what those are worth is pinned by
tests with numbers worked out by hand. Mutants that are meant to survive stand in `mutants.toml`, each with its reason.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

ENOUGH = 0.85
RESULT = Path("benchmarks/mutants.json")
_EXPLAINED = Path("tests/mutants.toml")
# To time out is to be noticed; a mutant that no test reaches survives.
_SURVIVED = {"survived", "no tests"}


def main() -> int:
    """Run, print and write what came of the mutants; 1 if too many survive, or one without a reason."""
    shutil.rmtree("mutants", ignore_errors=True)  # mutmut would let results stand although a test has changed
    subprocess.run([_mutmut(), "run", "--max-children", "2"], check=True)
    outcomes = _outcomes()
    by_module = _by_module(outcomes)
    survived = [name for name, outcome in outcomes.items() if outcome in _SURVIVED]
    killed = len(outcomes) - len(survived)
    totals = {"killed": killed, "survived": len(survived), "total": len(outcomes), "by_module": by_module}
    RESULT.write_text(json.dumps(totals, indent=2) + "\n")
    for module, counts in by_module.items():
        print(f"{module:45} {counts['killed']:4} killed {counts['survived']:4} survived")
    unexplained = _unexplained(survived)
    for name, (was, becomes) in unexplained.items():
        print(f"\nNo reason given for {name}\n-{was}\n+{becomes}")
    share = killed / len(outcomes)
    print(f"\n{share:.1%} of {len(outcomes)} mutants killed; {len(unexplained)} survive without a reason")
    return int(share < ENOUGH or bool(unexplained))


def _mutmut() -> str:
    return str(Path(sys.executable).with_name("mutmut"))


def _outcomes() -> dict[str, str]:
    """What became of each mutant, by its name."""
    said = subprocess.run([_mutmut(), "results", "--all", "true"], check=True, capture_output=True, text=True).stdout
    return dict(re.findall(r"^\s*(\S+__mutmut_\d+): (.+)$", said, re.MULTILINE))


def _module(name: str) -> str:
    """Module of a mutant: `core.util.batching.xǁBatcherǁclose__mutmut_1` lies in `core.util.batching`."""
    return name.rpartition(".")[0]


def _by_module(outcomes: dict[str, str]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"killed": 0, "survived": 0})
    for name, outcome in sorted(outcomes.items()):
        counts[_module(name)]["survived" if outcome in _SURVIVED else "killed"] += 1
    return dict(counts)


def _unexplained(survived: list[str]) -> dict[str, tuple[str, str]]:
    """Survivors that `mutants.toml` does not list: the line, and what it was changed to."""
    entries = tomllib.loads(_EXPLAINED.read_text())["survivor"]
    known = {(entry["module"], entry["line"], becomes) for entry in entries for becomes in entry["becomes"]}
    changes = {name: _change(name) for name in survived}
    return {name: change for name, change in changes.items() if (_module(name), *change) not in known}


def _change(name: str) -> tuple[str, str]:
    diff = subprocess.run([_mutmut(), "show", name], check=True, capture_output=True, text=True).stdout
    was, becomes = ("\n".join(re.findall(rf"^\{sign}(?!\{sign}\{sign})\s*(.*)$", diff, re.MULTILINE)) for sign in "-+")
    return was, becomes


if __name__ == "__main__":
    sys.exit(main())
