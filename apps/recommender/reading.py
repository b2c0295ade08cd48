"""Reads a shop's tables, and says what there is to say of them before anything is learnt."""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from apps.recommender.config import EventTable, ItemTable, ShopConfig
from apps.recommender.data import Events, Item, ShopData
from apps.recommender.formats import open_shop_table, usual_columns
from apps.recommender.movielens import Part
from apps.recommender.splits import PICKS, fewest_likes, number_of_cuts
from core.data.checking import CheckedRows
from core.data.fields import Id, Key, Label, ListOf, Number, Text, Time
from core.data.report import Rejections, Report, report_of
from core.data.row_files import Record
from core.data.sources import Records
from core.data.splits import SPLITS
from core.training.workspace import Workspace, WorkspaceReport
from core.util.errors import SteerError

FEWEST_ITEMS = 2 * PICKS

_LIKED = 1.0 - 1e-9  # ten views of a tenth add up to a like, whatever floating point makes of them
_LONG_TEXT = 40
_LOOKED_AT = 200


class ItemRow(BaseModel):
    """A row of the table of items."""

    id: Key
    title: Text
    about: str = ""
    tags: ListOf[str] = []
    year: Number | None = None
    price: Number | None = None
    stock: Number | None = None


class EventRow(BaseModel):
    """A row of the table of events."""

    user: Id
    item: Id
    time: Time | None = None
    type: Label | None = None
    rating: Number | None = None
    value: Number | None = None


def read_shop_data(workspace: Workspace[ShopConfig]) -> ShopData:
    """What can be used of a shop's tables; `check_shop_data` tells of the rest.

    Raises:
        SteerError: A table is missing, lacks a column, or holds too little to learn from.
    """
    items = _Items.read(workspace)
    events = _Events.read(workspace, items.rows)
    data = _shop_data(workspace.config, items.rows, events)
    if problem := _problem(data, [items.report, events.report]):
        raise SteerError(problem)
    return data


def check_shop_data(workspace: Workspace[ShopConfig]) -> WorkspaceReport:
    """What there is to say of a shop's tables.

    Raises:
        SteerError: A table is missing, or lacks a column.
    """
    items = _Items.read(workspace, with_duplicates=True)
    events = _Events.read(workspace, items.rows)
    data = _shop_data(workspace.config, items.rows, events)
    reports = [report for report in (items.report, events.report) if report.rows]
    problem = _problem(data, reports)
    remarks = [*filter(None, [problem]), *_remarks(data, events)]
    sizes: dict[str, int] = {split: number_of_cuts(data, split) for split in SPLITS}
    texts = tuple(item.text for item in data.items if item.id in items.rows)
    return WorkspaceReport(
        tuple(reports),
        tuple(remarks),
        tuple(_missing(items, events, data)),
        texts,
        {} if problem else {"histories": sizes},
    )


@dataclass
class _Items:
    """Items as they were read.

    Attributes:
        rows: Rows by id, in the order of the table.
        report: Report of the table.
        long_texts: Columns that hold texts which nothing reads.
    """

    rows: dict[str, ItemRow] = field(default_factory=dict)
    report: Report = field(default_factory=lambda: Report("items", 0, 0))
    long_texts: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, workspace: Workspace[ShopConfig], *, with_duplicates: bool = False) -> "_Items":
        table = workspace.config.items
        if table is None:
            return cls()
        records = open_shop_table(workspace.source(table.source), "items")
        rows = _checked(_with_about(records, table.texts), "items", table, ItemRow)
        rejections, places, taken = Rejections(), [], []
        for place, row in rows.checked(rejections):
            places.append(place)
            taken.append(row)
        if with_duplicates:
            report = report_of(records.name, taken, places, rejections, ItemRow, rows.column_of)
        else:
            report = _report(records.name, len(taken), rejections)
        return cls({row.id: row for row in taken}, report, _long_texts(records, table, rows.column_of))


@dataclass
class _Events:
    """Events as they were read, one after the other.

    Attributes:
        users: Number of each event's user, in the order of their first event.
        items: Row of each event's item.
        times: Time of each event in seconds since 1970; 0 where none is known.
        weights: Worth of each event.
        user_ids: Number of each user by id.
        item_ids: Row of each item by id.
        report: Report of the table.
        columns: Names of the fields that the table has.
    """

    users: array = field(default_factory=lambda: array("q"))
    items: array = field(default_factory=lambda: array("q"))
    times: array = field(default_factory=lambda: array("d"))
    weights: array = field(default_factory=lambda: array("d"))
    user_ids: dict[str, int] = field(default_factory=dict)
    item_ids: dict[str, int] = field(default_factory=dict)
    report: Report = field(default_factory=lambda: Report("events", 0, 0))
    columns: frozenset[str] = frozenset()

    @classmethod
    def read(cls, workspace: Workspace[ShopConfig], known: Mapping[str, ItemRow]) -> "_Events":
        config, table = workspace.config, workspace.config.events
        records = open_shop_table(workspace.source(table.source), "events")
        rows, rejections = _checked(records, "events", table, EventRow), Rejections()
        events = cls(item_ids={id_: row for row, id_ in enumerate(known)})
        events.columns = _columns(records, rows.column_of)
        name_of = _names(workspace.path(table.ids)) if table.ids else None
        for place, row in rows.checked(rejections):
            item = row.item if name_of is None else name_of.get(row.item, "")
            problem = events._problem_of(row, item, config)
            if problem:
                name, reason, value = problem
                rejections.add(place, rows.column_of[name], reason, value)
            else:
                events._add(row, item, config)
        events.report = _report(records.name, len(events.users), rejections)
        return events

    def repeated(self) -> int:
        """Number of events that an earlier one equals, where the table says when they happened."""
        if "time" not in self.columns:
            return 0
        rows = np.stack([self.users, self.items, self.times, self.weights], axis=1)
        rows = rows[np.lexsort(rows.T)]
        return int((rows[1:] == rows[:-1]).all(axis=1).sum())

    def _problem_of(self, row: EventRow, item: str, config: ShopConfig) -> tuple[str, str, str] | None:
        if item not in self.item_ids and (config.items is not None or not item):
            return "item", "no such item", f"got {row.item!r}"
        if row.time is None and "time" in self.columns:
            return "time", "empty", ""
        if row.type is not None and row.rating is None and row.type not in config.all_weights:
            known = ", ".join(config.all_weights)
            return "type", f"unknown; give its worth under `weights:`, beside {known}", f"got {row.type!r}"
        return None

    def _add(self, row: EventRow, item: str, config: ShopConfig) -> None:
        self.users.append(self.user_ids.setdefault(row.user, len(self.user_ids)))
        self.items.append(self.item_ids.setdefault(item, len(self.item_ids)))
        self.times.append(row.time.timestamp() if row.time else 0.0)
        self.weights.append(_weight(row, config))


def _weight(row: EventRow, config: ShopConfig) -> float:
    """Worth of an event: a rating's by its threshold, any other's by its type, as often as `value` says."""
    if row.rating is not None:
        return float(row.rating >= config.liked_from)
    return config.all_weights[row.type or "like"] * (1.0 if row.value is None else row.value)


def _shop_data(config: ShopConfig, known: Mapping[str, ItemRow], events: _Events) -> ShopData:
    items = tuple(
        _item(at, id_, known[id_]) if id_ in known else Item(at, id_, id_) for at, id_ in enumerate(events.item_ids)
    )
    users, rows = np.frombuffer(events.users, np.int64), np.frombuffer(events.items, np.int64)
    # Equal times keep the file's order: an unstable sort would change the targets from run to run.
    order = np.lexsort((np.frombuffer(events.times, np.float64), users))
    ends = np.cumsum(np.bincount(users, minlength=len(events.user_ids)))
    weights = np.frombuffer(events.weights, np.float64)
    parts = [(rows[part], weights[part]) for part in np.split(order, ends[:-1])]
    of_users = {user: _of_user(*part) for user, part in zip(events.user_ids, parts, strict=False)}
    return ShopData(items, of_users, config.next_likes)


def _item(at: int, id_: str, row: ItemRow) -> Item:
    year = None if row.year is None else int(row.year)
    is_offered = row.stock is None or row.stock > 0
    return Item(at, id_, row.title, row.about, tuple(tag for tag in row.tags if tag), year, row.price, is_offered)


def _of_user(items: np.ndarray, weights: np.ndarray) -> Events:
    """A user's events, each item once: where it came to be liked, or else where the user met it first."""
    worth: dict[int, float] = {}
    place_of: dict[int, int] = {}
    for place, (item, weight) in enumerate(zip(items.tolist(), weights.tolist(), strict=True)):
        before = worth.get(item, 0.0)
        worth[item] = before + weight
        if item not in place_of or before < _LIKED <= worth[item]:
            place_of[item] = place
    kept = sorted(place_of, key=place_of.__getitem__)
    return Events(np.array(kept, dtype=np.int64), np.array([worth[item] >= _LIKED for item in kept], dtype=bool))


def _checked(records: Records, part: Part, table: ItemTable | EventTable, schema: type[Any]) -> CheckedRows[Any]:
    return CheckedRows(records, schema, usual_columns(records, part, table.columns))


def _with_about(records: Records, texts: tuple[str, ...]) -> Records:
    """The records with the text of several columns as one field."""

    def told(record: Record) -> Record:
        if record.problem:
            return record
        for name in texts:
            if record.has_header and name not in record.values:
                raise SteerError(
                    f"{records.name} has no column {name!r} for `texts:`; its columns are {', '.join(record.values)}"
                )
        said = [str(record.values[name]).strip() for name in texts if record.values.get(name) is not None]
        return replace(record, values={**record.values, "about": ". ".join(said) or None})

    return Records(records.name, lambda: map(told, records.read())) if texts else records


def _columns(records: Records, column_of: Mapping[str, str]) -> frozenset[str]:
    first = next(iter(records.read()), Record(""))
    return frozenset(name for name, column in column_of.items() if column in first.values)


def _long_texts(records: Records, table: ItemTable, column_of: Mapping[str, str]) -> list[str]:
    """Columns of long texts that are not read, in the first rows of a table."""
    used, found = {*table.texts, *column_of.values()}, dict[str, None]()
    for record, _ in zip(records.read(), range(_LOOKED_AT), strict=False):
        for name, value in record.values.items():
            if name not in used and isinstance(value, str) and len(value) >= _LONG_TEXT and " " in value:
                found[name] = None
    return list(found)


def _names(path: Path) -> dict[str, str]:
    """An item's id in the table of items, by its id in the events.

    Raises:
        SteerError: The file cannot be read, or a line has other than two ids.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SteerError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    pairs = [line.replace(",", " ").split() for line in lines if line.strip()]
    wrong = next((number for number, pair in enumerate(pairs, start=1) if len(pair) != 2), None)
    if wrong is not None:
        raise SteerError(f"{path} must have two ids on each line, and line {wrong} has {len(pairs[wrong - 1])}")
    return {pair[0]: pair[1] for pair in pairs}


def _report(name: str, taken: int, rejections: Rejections) -> Report:
    return Report(name, taken + rejections.rows, taken, rejections.by_reason())


def _problem(data: ShopData, reports: list[Report]) -> str:
    """Why nothing can be learnt from a shop; empty where something can."""
    first = [
        f"; {each.source}: {each.rejected[0].first[0]}: {each.rejected[0].reason}" for each in reports if each.rejected
    ]
    if len(data.items) < FEWEST_ITEMS:
        return f"{len(data.items)} items are too few: lists of {PICKS} need at least {FEWEST_ITEMS}{''.join(first)}"
    likes = max((len(events.likes) for events in data.users.values()), default=0)
    if likes < fewest_likes(data):
        return (
            f"nobody likes the {fewest_likes(data)} items that learning and measuring need of somebody (three times "
            f"`next_likes: {data.next_likes}`); the most is {likes}. Give more events, a smaller `next_likes`, or more "
            f"`weights` to what people do{''.join(first)}"
        )
    return ""


def _missing(items: _Items, events: _Events, data: ShopData) -> Iterator[str]:
    """What is not there, and what it would bring."""
    if not items.rows:
        yield "No `items:`. Titles and texts would let visitors search and describe, and new items be recommended."
    elif not any(item.about for item in data.items):
        columns = f" Columns that hold some: {', '.join(items.long_texts)}." if items.long_texts else ""
        yield f"No `texts:` of items. They let words of visitors find more than titles do.{columns}"
    if not any(item.tags for item in data.items):
        yield "No tags of items. They let lists vary by kind, and reasons name it."
    if "time" not in events.columns:
        yield "No times of events. The order of the table is taken for the order in which things happened."
    if not events.columns & {"type", "rating"}:
        yield "No types or ratings of events. Each counts as a like; a hide would tell what people do not want."


def _remarks(data: ShopData, events: _Events) -> Iterator[str]:
    """What is there twice, and on whom nothing can be measured."""
    if repeated := events.repeated():
        yield (
            f"{repeated:,} events are the same as another one: person, item, time and worth. Each counts, so that of a "
            "log that was joined twice a view may become a like; leave them out unless they are meant."
        )
    counts = np.array([len(each.likes) for each in data.users.values()])
    few = int((counts < fewest_likes(data)).sum())
    if few:
        once = sum(len(each.items) == 1 for each in data.users.values())
        yield (
            f"{few:,} of {len(counts):,} people like fewer than {fewest_likes(data)} items ({once:,} have one event). "
            "They get lists, and what they like is learnt from; nothing is measured on them."
        )
