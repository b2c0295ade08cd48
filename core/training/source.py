"""What a task's code says, as a hash: a changed constant is seen, a changed comment is not."""

import ast
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# What counts through the settings, or for people alone.
_COUNTED_ELSEWHERE = {"preset", "presets", "title", "data_card", "workspace", "template"}


@cache
def source_fingerprint(task_class: type) -> str:
    """Hash of the code in `source_files`; comments, docstrings, the layout and the presets do not count."""
    trees = [(file.name, _Meaning().visit(_parsed(file))) for file in source_files(task_class)]
    return hashlib.sha256(repr([(name, ast.dump(tree)) for name, tree in trees]).encode()).hexdigest()


def source_files(task_class: type) -> list[Path]:
    """The files that make a task, sorted.

    These are the file of the class and of each of its bases outside `core`, and every file that one of them imports,
    directly or not, from its own folder.

    Args:
        task_class: Class of the task.
    """
    found: set[Path] = set()
    for member in inspect.getmro(task_class):
        if member.__module__.partition(".")[0] not in {"core", *sys.stdlib_module_names}:
            file = getattr(sys.modules.get(member.__module__), "__file__", None)
            if file is not None:
                _collect(Path(file).resolve(), member.__module__, Path(file).resolve().parent, found)
    return sorted(found)


def _collect(file: Path, module: str, home: Path, found: set[Path]) -> None:
    if file in found or not file.is_relative_to(home):
        return
    found.add(file)
    for name in _imports(_parsed(file), module, is_package=file.name == "__init__.py"):
        imported = _file_of(name)
        if imported is not None:
            _collect(imported, name, home, found)


def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _imports(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[str]:
    parts = module.split(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = parts[: len(parts) - node.level + is_package] if node.level else []
            source = ".".join([*package, *([node.module] if node.module else [])])
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _file_of(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):  # a name in a module, or a module that is not installed
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.has_location and spec.origin else None


class _Meaning(ast.NodeTransformer):
    """Leaves out what says nothing about states, actions and rewards."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [part for part in node.body if not _is_counted_elsewhere(part)]
        return self.generic_visit(node)


def _is_counted_elsewhere(part: ast.stmt) -> bool:
    if not isinstance(part, ast.Assign | ast.AnnAssign):
        return False
    targets = part.targets if isinstance(part, ast.Assign) else [part.target]
    return all(isinstance(target, ast.Name) and target.id in _COUNTED_ELSEWHERE for target in targets)
