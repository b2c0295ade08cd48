"""What the learning wing has of the platform: import statements, and libraries that it does not load without."""

from pathlib import Path

from benchmarks.house.imports import imports, modules
from benchmarks.revision import python_in

# Rooms of `core` that are not the learning wing; the second line are the names of before there were wings.
PLATFORM = {"__main__", "cli", "platform"} | {
    "commands", "queues", "retraining", "scale", "serving", "store", "versions", "workflow"
}  # fmt: skip
LIBRARIES = ("fastapi", "gradio", "rich", "sqlalchemy", "typer")
_IMPORT = f"""
import importlib, sys
sys.modules |= dict.fromkeys({LIBRARIES})
needed = set()
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        needed.add(error.name.split(".")[0])
print(*sorted(needed))
"""


def platform_imports(tree: Path) -> list[str]:
    """Import statements of the learning wing that read modules of the platform, as `importer:line imported`."""
    found = [each for each in imports(tree) if is_learning(each.importer) and _is_platform(each.imported)]
    statements = {(each.importer, each.line): each for each in found}
    return [f"{each.importer}:{each.line} {each.imported}" for each in statements.values()]


def needed_libraries(tree: Path) -> list[str]:
    """Libraries of the platform without which some module of the learning wing does not import."""
    return python_in(tree, "-c", _IMPORT, *filter(is_learning, modules(tree))).split()


def is_learning(module: str) -> bool:
    """Whether a module or room of `core` belongs to the learning wing."""
    return module.startswith("core.") and not _is_platform(module)


def _is_platform(module: str) -> bool:
    package, _, rest = module.partition(".")
    return package == "core" and rest.split(".")[0] in PLATFORM
