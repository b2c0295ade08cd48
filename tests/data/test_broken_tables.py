"""A row that cannot be used is told with its place and reason, and costs the others nothing."""

from pathlib import Path
from typing import Literal

import pandas as pd
import pytest
from pydantic import BaseModel

from core.data.fields import Id, Key, Label, ListOf, Number, Text, Time
from core.data.report import Contradiction, Rejected
from core.data.tables import check_table, read_rows, read_table, stream_table
from core.util.errors import SteerError


class Review(BaseModel):
    id: Key
    text: Text
    label: Literal["bad", "good"]
    stars: Number
    when: Time
    tags: ListOf[Id] = []


HEADER = b"id,text,label,stars,when\n"
GOOD = b"007,a fine bell,good,5,2024-05-01T12:00:00Z\n"
BROKEN = {
    "wrong encoding": (b"8,caf\xe9,good,5,2024-05-01T12:00:00Z", "not UTF-8 text; save the file as UTF-8"),
    "empty text": (b"8,  ,good,5,2024-05-01T12:00:00Z", "text: empty (got '  ')"),
    "no text": (b"8,,good,5,2024-05-01T12:00:00Z", "text: empty"),
    "NaN": (b"8,bell,good,nan,2024-05-01T12:00:00Z", "stars: not a finite number (got 'nan')"),
    "infinity": (b"8,bell,good,-inf,2024-05-01T12:00:00Z", "stars: not a finite number (got '-inf')"),
    "a word for a number": (b"8,bell,good,five,2024-05-01T12:00:00Z", "stars: not a finite number (got 'five')"),
    "no number": (b"8,bell,good,,2024-05-01T12:00:00Z", "stars: empty"),
    "unknown label": (b"8,bell,fine,5,2024-05-01T12:00:00Z", "label: Input should be 'bad' or 'good' (got 'fine')"),
    "duplicate id": (
        b"007,bell,good,5,2024-05-01T12:00:00Z",
        "id: the same as in an earlier row (got '007', as in line 2)",
    ),
    "no zone": (
        b"8,bell,good,5,2024-05-01 12:00",
        "when: without a time zone; end it with Z or +01:00 (got '2024-05-01 12:00')",
    ),
    "a date alone": (
        b"8,bell,good,5,2024-05-01",
        "when: without a time zone; end it with Z or +01:00 (got '2024-05-01')",
    ),
    "future": (b"8,bell,good,5,2999-05-01T12:00:00Z", "when: in the future (got '2999-05-01T12:00:00Z')"),
    "no date": (b"8,bell,good,5,soon", "when: not a time as in 2026-01-31T18:00:00+01:00 (got 'soon')"),
    "a comma too many": (
        b"8,bell, and horn,good,5,2024-05-01T12:00:00Z",
        "6 cells under 5 columns; put quotes around a cell that holds a delimiter",
    ),
    "cells too few": (b"8,bell", "label: empty"),
    "a cell without end": (
        b"8," + b"x" * 200_000 + b",good,5,2024-05-01T12:00:00Z",
        "not CSV (field larger than field limit (131072))",
    ),
}


@pytest.fixture
def write(tmp_path):
    def written(content: bytes, name: str = "reviews.csv") -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return written


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_row_is_told_with_its_line_and_the_rows_around_it_are_taken(write, kind):
    row, told = BROKEN[kind]
    file = write(HEADER + GOOD + b"\n" + row + b"\n" + GOOD.replace(b"007", b"9"))
    table, report = check_table(file, Review)
    assert table["id"][:] == ["007", "9"]
    assert (report.rows, report.taken, sum(why.count for why in report.rejected)) == (3, 2, 1)
    for read in (read_rows, read_table, lambda *of: list(stream_table(*of))):
        with pytest.raises(SteerError) as refused:
            read(file, Review)
        assert str(refused.value) == f"{file} is malformed: line 4: {told}"


def test_rejected_rows_are_counted_by_reason_with_the_first_of_them(write):
    bad = b"".join(b"%d,bell,good,%d stars,2024-05-01T12:00:00Z\n" % (number, number) for number in range(10, 15))
    _, report = check_table(write(HEADER + GOOD + bad + b"20,,good,5,2024-05-01T12:00:00Z\n"), Review)
    assert report.rejected == (
        Rejected(
            "stars",
            "not a finite number",
            5,
            ("line 3 (got '10 stars')", "line 4 (got '11 stars')", "line 5 (got '12 stars')"),
        ),
        Rejected("text", "empty", 1, ("line 8",)),
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"text": "caf\xe9"}', "not UTF-8 text; save the file as UTF-8"),
        (rb'{"text": "caf\ud800"}', "not UTF-8 text; save the file as UTF-8"),
        (b'{"text": 5}', "text: not a text (got 5)"),
        (b'{"txt": "bell"}', "text: missing (its columns are txt; did you mean 'txt'?)"),
        (b'["bell"]', 'not a JSON object such as {"text": "..."}'),
        (b'{"text": "bell"', "not JSON (Expecting ',' delimiter)"),
        (b"[" * 100_000, "not JSON that can be read"),
        (b'{"text": "bell", "id": 7.0}', "id: a number with a point, not an id; keep ids as text"),
        (b'{"text": "bell", "id": ' + b"9" * 5000 + b"}", "not JSON that can be read"),
        (b'{"text": "bell", "tags": [{}]}', "tags.0: not a text (got {})"),
    ],
    ids=range(10),
)  # fmt: skip
def test_a_broken_line_of_json_is_told_as_well(write, line, told):
    class Note(BaseModel):
        text: Text
        id: Id = ""
        tags: ListOf[Id] = []

    file = write(b'{"text": "bell", "id": 7, "other": {"x": 1}}\n' + line + b"\n", "notes.jsonl")
    table, _ = check_table(file, Note)
    assert table["id"][:] == ["7"]
    with pytest.raises(SteerError) as refused:
        read_table(file, Note)
    assert str(refused.value).startswith(f"{file} is malformed: line 2: {told}")


def test_nan_in_memory_is_an_empty_cell():
    class Rating(BaseModel):
        stars: Number

    with pytest.raises(SteerError) as refused:
        read_table(pd.DataFrame({"stars": [1.0, float("nan")]}), Rating)
    assert str(refused.value) == "the DataFrame is malformed: row 2: stars: empty"


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (None, "reviews.csv", "there is no file or folder {file}"),
        (None, "reviews", "there is no file or folder {file}"),
        (b"", "reviews.csv", "{file} holds no rows"),
        (HEADER, "reviews.csv", "{file} holds no rows"),
        (b"[]", "reviews.json", "{file} holds no rows"),
        (b"[1", "reviews.json", "{file} is not JSON (Expecting ',' delimiter: line 1 column 3 (char 2))"),
        (b"no parquet", "reviews.parquet", "{file} is not a Parquet file that can be read: Parquet magic bytes"),
        (b"x", "reviews.xlsx", "cannot tell what {file} is; tables are files that end in .csv, .tsv, .json, .jsonl,"),
        ("id,text".encode("utf-16"), "reviews.csv", "{file} is not UTF-8 text; save the file as UTF-8 (it is UTF-16)"),
        (b"id,text,text\n1,a,b\n", "reviews.csv", "{file} has two columns called 'text'; rename one of them"),
        (
            b"id,Txet,label,stars,when\n" + GOOD,
            "reviews.csv",
            "{file} has no column 'text'; its columns are id, Txet, label, stars, when; did you mean 'Txet'?",
        ),
    ],
    ids=range(11),
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why_in_one_line(tmp_path, content, name, told):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    for read in (read_table, check_table, lambda *of: list(stream_table(*of))):
        with pytest.raises(SteerError) as refused:
            read(file, Review)
        assert str(refused.value).startswith(told.format(file=file))


def test_a_folder_tells_which_of_its_files_is_wrong(tmp_path, write):
    write(HEADER + GOOD, "a.csv")
    broken = write(b"id,text\n8,bell\n", "b.csv")
    with pytest.raises(SteerError, match=rf"^{tmp_path}, b\.csv, has no column 'label'; its columns are id, text$"):
        read_table(tmp_path, Review)
    broken.write_bytes(HEADER + GOOD)
    with pytest.raises(SteerError, match=r"b\.csv line 2: id: the same .* as in a\.csv line 2\)$"):
        read_table(tmp_path, Review)


def test_a_link_out_of_a_folder_is_not_followed(tmp_path, write):
    outside = write(HEADER + GOOD, "outside.csv")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "reviews.csv").symlink_to(outside)
    with pytest.raises(SteerError, match=r"reviews\.csv is a link out of .*inside; copy the file there"):
        read_table(tmp_path / "inside", Review)


def test_a_mapping_is_obeyed_or_refused(write):
    file = write(HEADER + GOOD)
    with pytest.raises(SteerError, match=r"no field 'txt' to map; its fields are id, .*; did you mean 'text'\?"):
        read_table(file, Review, {"txt": "text"})
    with pytest.raises(SteerError, match=r"no column 'labels'; its columns are .*; did you mean 'label'\?"):
        read_table(file, Review, {"tags": "labels"})


def test_what_is_no_source_is_refused():
    with pytest.raises(SteerError, match="cannot read a table from int; give a file, a name on the Hub, or a Dataset"):
        read_table(5, Review)


def test_two_hundred_columns_are_read(write):
    names = [f"column {number}" for number in range(200)]
    file = write((",".join(names) + "\n" + ",".join(names) + "\n").encode())

    class Wide(BaseModel):
        text: Text

    assert read_table(file, Wide, {"text": "column 199"})["text"][:] == ["column 199"]


def test_a_report_counts_labels_copies_and_contradictions():
    class Note(BaseModel):
        text: Text
        topic: Label

    frame = pd.DataFrame(
        [
            ("the chain of my new bicycle fell off today", "repair"),
            ("The chain of my new  bicycle fell off today", "repair"),
            ("the chain of my new bicycle fell off today!", "repair"),
            ("when do you open on saturday", "hours"),
            ("When do you open on Saturday", "repair"),
            ("no", "hours"),
        ],
        columns=["text", "topic"],
    )
    table, report = check_table(frame, Note)
    assert len(table) == report.rows == report.taken == 6
    assert report.labels == {"topic": {"repair": 4, "hours": 2}}
    assert (report.duplicates, report.near_duplicates) == (2, 1)
    assert report.contradictions == (
        Contradiction("when do you open on saturday", "topic", {"hours": "row 4", "repair": "row 5"}),
    )
    assert report.to_dict()["contradictions"][0]["labels"] == {"hours": "row 4", "repair": "row 5"}
