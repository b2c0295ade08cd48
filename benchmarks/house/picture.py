"""The picture of the rooms: floors, wings, and who imports whom."""

from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.house.rooms import Arrow, House
from benchmarks.house.wings import is_learning

_TITLES = {"learning": -1, "apps": 0, "platform and command line": 1}
_COLOURS, _BACK = ("#0f766e", "#475569", "#4338ca"), "#c2410c"
_WIDTH, _HEIGHT, _GAP = 1.55, 0.42, 1.8


def draw(house: House, file: Path) -> None:
    """Draw the learning wing on the left, the platform on the right, the apps above both.

    An arrow that others imply is left out: who imports a room may import all that it imports.
    """
    places = _places(house)
    furthest, top = max(abs(x) for x, _ in places.values()) + _WIDTH, max(house.floors.values())
    figure, axes = plt.subplots(figsize=(1.6 * furthest, 0.8 * top + 1.4), layout="constrained")
    axes.set(xlim=(-furthest, furthest), ylim=(-0.6, top + 0.5), yticks=range(top + 1), xticks=[], ylabel="floor")
    axes.spines[:].set_visible(False)
    for title, side in _TITLES.items():
        axes.text(side * furthest / 2, -0.5, title, ha="center", color=_COLOURS[side + 1], fontsize=11)
    for arrow in _telling(house):
        _arrow(axes, places, arrow, "#94a3b8", "-")
    for arrow in house.back_arrows:
        _arrow(axes, places, arrow, _BACK, "--")
    for room, (x, y) in places.items():
        axes.text(x, y, _label(room), ha="center", va="center", fontsize=9, color="white", zorder=3)
        box = plt.Rectangle(
            (x - _WIDTH / 2, y - _HEIGHT / 2), _WIDTH, _HEIGHT, color=_COLOURS[_side(room) + 1], zorder=2
        )
        axes.add_patch(box)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def _places(house: House) -> dict[str, tuple[float, float]]:
    """Where each room stands: learning to the left of the middle, the platform to the right, apps between them."""
    floors: dict[tuple[int, int], list[str]] = defaultdict(list)
    for room, floor in house.floors.items():
        floors[floor, _side(room)].append(room)
    places = {}
    for (floor, side), rooms in floors.items():
        for number, room in enumerate(rooms):
            centred = number - (len(rooms) - 1) / 2
            shift = (floor % 2 - 0.5) * 0.5  # arrows pass beside the room below
            places[room] = (_GAP * (side * (number + 2.25) + shift if side else centred), float(floor))
    return places


def _telling(house: House) -> list[Arrow]:
    """Arrows that no way round implies (transitive reduction)."""
    downward = sorted(house.arrows - set(house.back_arrows))
    below: dict[str, set[str]] = defaultdict(set)
    for room in sorted(house.rooms, key=lambda room: house.floors[room]):
        for above, lower in downward:
            if above == room:
                below[room] |= {lower, *below[lower]}
    others = {(a, b): {c for above, c in downward if above == a and c != b} for a, b in downward}
    return [(a, b) for a, b in downward if not any(b in below[other] for other in others[a, b])]


def _arrow(axes: Axes, places: dict[str, tuple[float, float]], arrow: Arrow, colour: str, style: str) -> None:
    (x, y), (to_x, to_y) = places[arrow[0]], places[arrow[1]]
    up = _HEIGHT / 2 if to_y > y else -_HEIGHT / 2
    line = {"arrowstyle": "->", "color": colour, "linestyle": style, "linewidth": 1.1}
    axes.annotate("", (to_x, to_y - up), (x, y + up), arrowprops=line, zorder=1)


def _label(room: str) -> str:
    return room.removeprefix("core.").removeprefix("platform.").removeprefix("apps.")


def _side(room: str) -> int:
    if room.startswith("apps."):
        return 0
    return -1 if is_learning(room) else 1
