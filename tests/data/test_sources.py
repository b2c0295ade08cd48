"""Whatever a table comes from, its rows are the same."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, IterableDataset, List, Value
from pydantic import BaseModel

from core.data.fields import Id, Key, ListOf, Number, Text, Time
from core.data.splits import Split
from core.data.tables import read_rows, read_table, stream_table
from core.util.errors import SteerError
from tests.data.hub import keep_in_cache

PROGRAM = """
from tests.data.test_sources import Message, read_table, stream_table
assert len(list(stream_table({file!r}, Message))) == 3
print(read_table({file!r}, Message)._fingerprint)
"""


class Message(BaseModel):
    id: Key
    text: Text
    label: Literal["answer", "workshop"]
    stars: Number
    when: Time
    tags: ListOf[Id] = []


ROWS = [
    ("007", "my chain, broke", "workshop", 1.5, "2024-05-01T12:00:00+02:00", ["x", "02"]),
    ("7", "你们几点开门?\nbitte", "answer", 2.0, "2024-05-02T00:00:00Z", []),
    ("a/b ü", "nan", "answer", -3.0, "2024-05-03T00:00:00Z", ["null"]),
]
ROWS = [dict(zip(Message.model_fields, row, strict=True)) for row in ROWS]
FRAME = pd.DataFrame(ROWS)


def delimited(folder: Path, name: str, separator: str) -> Path:
    table = FRAME.assign(tags=["x|02", "", '["null"]'])
    table.to_csv(folder / name, sep=separator, index=False)
    return folder / name


def lines(folder: Path, name: str) -> Path:
    (folder / name).write_text("\n\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    return folder / name


def array(folder: Path) -> Path:
    (folder / "table.json").write_text(json.dumps(ROWS, indent=1), encoding="utf-8")
    return folder / "table.json"


def parquet(folder: Path) -> Path:
    FRAME.assign(when=pd.to_datetime(FRAME["when"], utc=True)).to_parquet(folder / "table.parquet")
    return folder / "table.parquet"


def files(folder: Path) -> Path:
    (folder / "parts").mkdir()
    for number, row in enumerate(ROWS):
        (folder / "parts" / f"{number}.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (folder / "parts" / "README.md").write_text("no table")
    return folder / "parts"


SOURCES = {
    "csv": lambda folder: delimited(folder, "table.csv", ","),
    "csv of semicolons": lambda folder: delimited(folder, "table.csv", ";"),
    "tsv": lambda folder: delimited(folder, "table.tsv", "\t"),
    "a path as text": lambda folder: str(delimited(folder, "table.csv", ",")),
    "json lines": lambda folder: lines(folder, "table.jsonl"),
    "json lines called json": lambda folder: lines(folder, "table.json"),
    "json": array,
    "parquet": parquet,
    "folder": files,
    "data frame": lambda folder: FRAME,
    "Dataset": lambda folder: Dataset.from_list(ROWS),
    "Dataset of classes": lambda folder: Dataset.from_list(ROWS).class_encode_column("label"),
    "DatasetDict": lambda folder: DatasetDict(
        train=Dataset.from_list(ROWS[:2]), test=Dataset.from_list(ROWS[2:])
    ),
    "IterableDataset": lambda folder: Dataset.from_list(ROWS).to_iterable_dataset(),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_gives_the_same_rows_with_the_declared_features(name, tmp_path):
    table = read_table(SOURCES[name](tmp_path), Message)
    assert table.features == Features(
        id=Value("string"),
        text=Value("string"),
        label=ClassLabel(names=["answer", "workshop"]),
        stars=Value("float64"),
        when=Value("timestamp[us, tz=UTC]"),
        tags=List(Value("string")),
    )
    assert table["id"][:] == ["007", "7", "a/b ü"]
    assert table["text"][:] == ["my chain, broke", "你们几点开门?\nbitte", "nan"]
    assert table["label"][:] == [1, 0, 0]
    assert table["stars"][:] == [1.5, 2.0, -3.0]
    assert table["when"][0] == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert table["tags"][:] == [["x", "02"], [], ["null"]]


@pytest.mark.parametrize("name", SOURCES)
def test_a_stream_gives_the_same_rows_without_holding_them(name, tmp_path):
    source = SOURCES[name](tmp_path)
    stream = stream_table(source, Message)
    assert isinstance(stream, IterableDataset)
    assert list(stream) == list(read_table(source, Message))
    assert len(list(stream)) == 3  # from its beginning again
    assert stream.features == read_table(source, Message).features


def elsewhere(file: Path, **environment: str) -> str:
    """Fingerprint of a table, and a stream of it, in a process of its own."""
    program = [sys.executable, "-c", PROGRAM.format(file=str(file))]
    return subprocess.run(
        program, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **environment}
    ).stdout.strip()


def test_equal_tables_have_equal_fingerprints_in_every_process_and_changed_ones_others(tmp_path):
    file = lines(tmp_path, "table.jsonl")
    found = read_table(file, Message)._fingerprint
    assert elsewhere(file, PYTHONHASHSEED="5") == found == read_table(FRAME, Message)._fingerprint
    file.write_text(file.read_text().replace("1.5", "1.25"))
    assert read_table(file, Message)._fingerprint != found


def test_columns_are_mapped_and_what_may_be_missing_is_left_out():
    frame = FRAME.rename(columns={"text": "Body of the mail", "label": "text"}).drop(columns="tags")
    table = read_table(frame, Message, {"text": "Body of the mail", "label": "text"})
    assert table["text"][0] == "my chain, broke"
    assert table["label"][0] == 1
    assert table["tags"][:] == [[], [], []]


def test_what_pandas_and_json_call_missing_is_missing():
    class Opinion(BaseModel):
        text: Text
        stars: Number | None = None
        when: Time | None = None

    frame = pd.DataFrame(
        {"text": ["a", "b"], "stars": [None, 2.5], "when": [pd.NaT, pd.Timestamp("2024-05-01", tz="UTC")]}
    )
    assert [row.stars for row in read_rows(frame, Opinion)] == [None, 2.5]
    assert read_table(frame, Opinion)["when"][:] == [None, datetime(2024, 5, 1, tzinfo=UTC)]


def test_files_and_parts_tell_their_split(tmp_path):
    class Divided(Message):
        split: Split

    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(ROWS[len(name) - 3]), encoding="utf-8")
    names = ["train", "validation", "test"]
    table = read_table(tmp_path, Divided)
    assert sorted(names[split] for split in table["split"]) == sorted(names)
    parts = DatasetDict(validation=Dataset.from_list(ROWS[:1]), test=Dataset.from_list(ROWS[1:]))
    assert [row.split for row in read_rows(parts, Divided)] == ["validation", "test", "test"]


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("STEER_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


def test_offline_a_data_set_of_the_hub_is_found_in_our_cache(tmp_path, cache):
    file = delimited(tmp_path, "table.csv", ",")
    keep_in_cache("acme/bicycle-mail", file, cache)
    read = read_table("acme/bicycle-mail", Message)
    assert read["text"][:] == read_table(file, Message)["text"][:]
    assert read._fingerprint == read_table(file, Message)._fingerprint


def test_offline_an_unknown_data_set_is_told_in_one_line(cache):
    for read in (read_table, stream_table):
        with pytest.raises(
            SteerError, match=r"no file or folder acme/nothing, and no data set of that name could be .*Offline"
        ):
            read("acme/nothing", Message)


def test_reading_leaves_nothing_behind(tmp_path):
    home = tmp_path / "home"
    elsewhere(lines(tmp_path, "table.jsonl"), HOME=str(home), XDG_CACHE_HOME=str(home), STEER_CACHE_DIR=str(home))
    assert not list(home.rglob("*"))
