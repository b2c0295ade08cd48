"""Rooms of a source tree, the arrows between them, the floors that they stand on, and the arrows that run back up.

A *room* is a folder with Python files of its own, beyond an `__init__.py` that only introduces it; what lies deeper in
it belongs to it. A file that lies loose in `core`, `core/platform` or `apps` has no such folder and is a room of its
own.

An *arrow* A -> B: a file of A imports a file of B. *Back arrows*: a smallest set of arrows without which no room
imports itself by way of others. *Floors*: without the back arrows, every room stands above all rooms that it imports.
"""

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.house.imports import imports, modules

Arrow = tuple[str, str]
_PLATFORM = ("core", "platform")


@dataclass(frozen=True)
class House:
    """Rooms and arrows of a source tree.

    Attributes:
        rooms: Dotted names.
        arrows: Pairs of a room and one that it imports.
    """

    rooms: frozenset[str]
    arrows: frozenset[Arrow]

    def part(self, package: str) -> "House":
        """The rooms of one package, and the arrows between them."""
        rooms = frozenset(room for room in self.rooms if room.split(".")[0] == package)
        return House(rooms, frozenset((a, b) for a, b in self.arrows if a in rooms and b in rooms))

    @cached_property
    def back_arrows(self) -> list[Arrow]:
        """A smallest set of arrows whose removal leaves no circle of rooms."""
        reached = {room: self._reached(room) for room in self.rooms}
        circles = {frozenset(b for b in reached[a] if a in reached[b]) for a in self.rooms}
        return sorted(arrow for circle in circles for arrow in self._upward(sorted(circle)))

    @cached_property
    def floors(self) -> dict[str, int]:
        """Number of the floor of each room, from 0 upwards: the longest way down to a room that imports no other."""
        downward = self.arrows - set(self.back_arrows)
        floors: dict[str, int] = {}

        def floor(room: str) -> int:
            if room not in floors:
                floors[room] = max((floor(below) + 1 for above, below in downward if above == room), default=0)
            return floors[room]

        return {room: floor(room) for room in sorted(self.rooms)}

    def _reached(self, room: str) -> set[str]:
        reached, waiting = set[str](), {room}
        while waiting:
            waiting = {below for above, below in self.arrows if above in waiting} - reached
            reached |= waiting
        return reached

    def _upward(self, circle: list[str]) -> list[Arrow]:
        """Arrows that point upwards when a circle's rooms are stacked so that the fewest do.

        Exact, by Held and Karp's dynamic programme over the sets of rooms that are stacked already; a circle of twenty
        rooms takes seconds.
        """
        imported = [sum(1 << circle.index(b) for a, b in self.arrows if a == room and b in circle) for room in circle]
        everything = (1 << len(circle)) - 1
        best = [(0, 0)] + [(len(self.arrows) + 1, 0)] * everything  # upward arrows of a stack, and its topmost room
        for stack in range(everything):
            for room in range(len(circle)):
                if not stack >> room & 1:
                    upward = best[stack][0] + (imported[room] & ~stack).bit_count()
                    best[stack | 1 << room] = min(best[stack | 1 << room], (upward, room))
        arrows, stack = [], everything
        while stack:
            room = best[stack][1]
            stack ^= 1 << room
            above = (b for b in range(len(circle)) if imported[room] & ~stack & 1 << b)
            arrows += [(circle[room], circle[b]) for b in above]
        return arrows


def house(tree: Path) -> House:
    """The rooms of `core` and `apps` in a source tree, and the arrows between them."""
    rooms = rooms_of_modules(tree)
    inside = (each for each in imports(tree) if each.importer in rooms and each.imported in rooms)
    arrows = {(rooms[each.importer], rooms[each.imported]) for each in inside}
    return House(frozenset(rooms.values()), frozenset((a, b) for a, b in arrows if a != b))


def rooms_of_modules(tree: Path) -> dict[str, str]:
    """The room of each module that has content."""
    folders = {name: file.relative_to(tree).parent.parts for name, file in modules(tree).items() if _has_content(file)}
    own = set(folders.values())
    outermost = {
        name: next((parts[:depth] for depth in range(_wing(parts) + 1, len(parts) + 1) if parts[:depth] in own), None)
        for name, parts in folders.items()
    }
    return {name: ".".join(parts) if parts else name for name, parts in outermost.items()}


def _wing(folder: tuple[str, ...]) -> int:
    """Number of leading parts of a folder's name that are a wing, not a room."""
    return 2 if folder[:2] == _PLATFORM else 1


def _has_content(file: Path) -> bool:
    """Whether it is more than an `__init__.py` with a docstring."""
    module = ast.parse(file.read_text(encoding="utf-8"))
    return file.name != "__init__.py" or len(module.body) > (ast.get_docstring(module) is not None)
