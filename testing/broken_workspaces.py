"""Sixteen workspaces that something is wrong with, and what `steer check` has to say of each."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd
from matplotlib.figure import Figure

from core.training.workspace import FILE
from testing.web_server import Answer, web_server


@dataclass(frozen=True)
class Broken:
    """A workspace that something is wrong with.

    Attributes:
        app: Name of the app.
        spoil: Function that makes it wrong, in a folder that `steer new` wrote.
        told: Pattern of what has to be told.
        is_refused: Whether the check has to end with an error.
    """

    app: str
    spoil: Callable[[Path], None]
    told: str
    is_refused: bool = True


class Done(Protocol):
    """What a command left."""

    @property
    def returncode(self) -> int:
        """Exit status."""

    @property
    def stdout(self) -> str:
        """What it printed."""

    @property
    def stderr(self) -> str:
        """What it printed about itself."""


@contextmanager
def leading_to_a_file() -> Iterator[str]:
    """Address of a feed that redirects to a file of this machine."""
    with web_server() as server:
        server.answers["/rss"] = Answer(status=302, headers={"Location": "file:///etc/passwd"})
        yield server.url("/rss")


def faults(broken: Broken, folder: Path, steer: Callable[..., Done]) -> list[str]:
    """What is wrong with how a workspace is told of; nothing where it is in clear words, and no file is touched.

    Args:
        broken: Workspace to make and to check.
        folder: Folder to make it in, which does not exist.
        steer: Function that runs a command, on lines so wide that a table's cells stand whole.
    """
    steer("new", broken.app, str(folder))
    broken.spoil(folder)
    before = _files(folder)
    done = steer("check", str(folder))
    said = " ".join((done.stdout + done.stderr).split())
    is_fault = {
        f"does not say {broken.told!r}: {said}": re.search(broken.told, said) is None,
        f"a traceback: {said}": "Traceback" in said,
        f"status {done.returncode}": (done.returncode != 0) != broken.is_refused,
        "files were touched": _files(folder) != before,
    }
    return [fault for fault, is_so in is_fault.items() if is_so]


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    stats = {str(path): path.stat() for path in folder.rglob("*") if path.is_file()}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def _replace(file: str, old: str, new: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def _add(file: str, line: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        with (folder / file).open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")

    return spoil


def _write(file: str, content: bytes) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / file).write_bytes(content)

    return spoil


def _scanned_pdf(folder: Path) -> None:
    picture = Figure()
    picture.add_subplot().imshow([[0, 1], [1, 0]])
    picture.axes[0].set_axis_off()
    picture.savefig(folder / "articles" / "scan.pdf")


def _huge_pdf(folder: Path) -> None:
    with (folder / "articles" / "huge.pdf").open("wb") as stream:
        stream.write(b"%PDF-1.7\n")
        stream.truncate(51_000_000)


def _link_out(folder: Path) -> None:
    outside = folder.parent / "secret.md"
    outside.write_text("# Secret\n\nNobody may read this.\n")
    (folder / "articles" / "link.md").symlink_to(outside)


def _follow(feed: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        text = (folder / FILE).read_text(encoding="utf-8")
        feeds = f"feeds:\n  - source: {feed}\n    allow_private: true\n"
        (folder / FILE).write_text(re.sub(r"(?m)^feeds:\n(?:[ #].*\n)*", feeds, text), encoding="utf-8")

    return spoil


def _strange_ids(folder: Path) -> None:
    items = pd.read_csv(folder / "items.csv", dtype=str)
    strange = items.head(2).assign(id=["007", "käse-ü/字"])
    pd.concat([items, strange]).to_csv(folder / "items.csv", index=False)


def _wide(folder: Path) -> None:
    items = pd.read_csv(folder / "items.csv", dtype=str)
    more = pd.DataFrame({f"c{number}": ["x"] * len(items) for number in range(200)})
    pd.concat([items, more], axis=1).to_csv(folder / "items.csv", index=False)


def _repeat_an_item(folder: Path) -> None:
    lines = (folder / "items.csv").read_text(encoding="utf-8").splitlines()
    (folder / "items.csv").write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")


def _first_event(**cells: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        events = pd.read_csv(folder / "events.csv", dtype=str)
        for column, value in cells.items():
            if column not in events:
                events[column] = "4"
            events.loc[0, column] = value
        events.to_csv(folder / "events.csv", index=False)

    return spoil


def _one_event(folder: Path) -> None:
    pd.read_csv(folder / "events.csv", dtype=str).head(1).to_csv(folder / "events.csv", index=False)


_BOMB = (
    "a: &a [1, 1, 1]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\napp: customer_service\nname: bomb\narticles: articles\n"
)


def broken_workspaces(feed: str) -> dict[str, Broken]:
    """Workspaces by what is wrong with them.

    Args:
        feed: Address that redirects to a file.
    """
    support, shop, monitor = "customer_service", "recommender", "finance_monitor"
    latin = "# Rückgabe\n\nSchön.\n".encode("latin-1")
    return {
        "wrong-encoding": Broken(support, _write("articles/latin.md", latin), "not UTF-8"),
        "missing-column": Broken(shop, _replace("events.csv", "user", "who"), "no column 'user'"),
        "unknown-key": Broken(support, _add(FILE, "artcles: here"), "artcles: there is no such key"),
        "duplicate-ids": Broken(shop, _repeat_an_item, "the same as in an earlier row"),
        "no-time-zone": Broken(shop, _first_event(time="2025-01-01T10:00:00"), "time zone"),
        "future-dates": Broken(shop, _first_event(time="2199-01-01T10:00:00Z"), "in the future"),
        "empty-article": Broken(support, _write("articles/empty.md", b"\n"), "no text in it"),
        "huge-pdf": Broken(support, _huge_pdf, "larger than 50 MB"),
        "scanned-pdf": Broken(support, _scanned_pdf, "without text, such as a scan"),
        "strange-ids": Broken(shop, _strange_ids, "42 rows, 42 taken, 0 rejected", is_refused=False),
        "nan-ratings": Broken(shop, _first_event(rating="nan"), "not a finite number"),
        "one-event": Broken(shop, _one_event, "Give more events", is_refused=False),
        "yaml-bomb": Broken(support, _write(FILE, _BOMB.encode()), "refers to itself"),
        "link-out": Broken(support, _link_out, "link out of"),
        "feed-to-a-file": Broken(monitor, _follow(feed), "redirects to 'file:"),
        "wide-table": Broken(shop, _wide, "40 rows, 40 taken, 0 rejected", is_refused=False),
    }
