"""Which module of a source tree imports which, read from the source alone, so that any revision can be measured."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("core", "apps")


@dataclass(frozen=True)
class Import:
    """A module that an import statement reads.

    Attributes:
        importer: Dotted name of the module that holds the statement.
        line: Number of the statement's line.
        imported: Dotted name of the module that it reads.
    """

    importer: str
    line: int
    imported: str


def modules(tree: Path) -> dict[str, Path]:
    """Files of `core` and `apps` by the dotted names of their modules; a package's name stands for its `__init__`."""
    files = sorted(file for package in PACKAGES for file in (tree / package).rglob("*.py"))
    return {_name(file.relative_to(tree)): file for file in files}


def imports(tree: Path) -> list[Import]:
    """Every import between modules of `core` and `apps`, those inside functions and for type checkers alone too.

    What `importlib` loads by a computed name cannot be seen.
    """
    known = modules(tree)
    return [
        Import(importer, line, imported)
        for importer, file in known.items()
        for line, imported in _imported(ast.parse(file.read_text(encoding="utf-8")), known)
    ]


def _name(file: Path) -> str:
    return ".".join(file.parent.parts if file.name == "__init__.py" else file.with_suffix("").parts)


def _imported(module: ast.Module, known: dict[str, Path]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            # A name is a module of the package, or stands in the package itself.
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from ((node.lineno, name if name in known else node.module) for name in sorted(named))
