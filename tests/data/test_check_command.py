"""`steer check` tells everything that the report of a table holds, and fails where rows are lost."""

import json

import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.data.splits import SPLITS
from core.training.loader import load_task
from core.util.errors import SteerError
from tests.command import steer

ROWS = [
    "id,body,topic,when,customer,part",
    *(
        f"{number:03},question {'abcdefghijkl'[number] * 9},{'ab'[number % 2]},"
        f"2024-05-{number + 1:02}T08:00:00Z,c{number // 2},dev"
        for number in range(12)
    ),
]


@pytest.fixture
def file(tmp_path):
    (tmp_path / "table.csv").write_text("\n".join(ROWS) + "\n")
    return tmp_path / "table.csv"


def check(*arguments: object, status: int) -> str:
    done = CliRunner().invoke(app, ["check", *map(str, arguments)])
    assert done.exit_code == status, done.output
    return done.output


@pytest.mark.parametrize(
    "way", [(), ("--by-time", "when"), ("--by-time", "when", "--time", "when"), ("--group", "customer")]
)
def test_a_good_table_is_counted_and_split(file, tmp_path, way):
    report = tmp_path / "report.json"
    told = check(file, "--id", "id", "--text", "body", "--label", "topic", *way, "--json", report, status=0)
    assert f"{file}: 12 rows, 12 taken, 0 rejected" in told
    assert "topic: a 6, b 6" in told
    found = json.loads(report.read_text())
    assert list(found["splits"]) == list(SPLITS)
    assert sum(found["splits"].values()) == found["rows"] == found["taken"] == 12
    assert "splits: " + ", ".join(f"{split} {count}" for split, count in found["splits"].items()) in told


def test_what_is_wrong_is_told_in_full(file):
    with file.open("a") as stream:
        stream.write("012,QUESTION aaaaaaaaa,b,2024-06-01T08:00:00Z,c9,dev\n")
        stream.write("000,new question,a,2024-06-01,c9,dev\n")
        stream.write("013,[bold]bracketed[/] question,[/b],2024-06-01T08:00:00Z,c9,dev\n")
    done = steer("check", str(file), "--id", "id", "--text", "body", "--label", "topic", "--time", "when")
    told = done.stdout
    assert done.returncode == 1
    assert "15 rows, 14 taken, 1 rejected" in told
    assert "[/b] 1" in told
    assert "without a time zone; end it with Z or +01:00" in told
    assert "line 15 (got '2024-06-01')" in told
    assert "repeated: 1 the same text, 0 nearly the same" in told
    assert "contradiction in topic: 'question aaaaaaaaa' is a (line 2), b (line 14)" in told


def test_of_a_workspace_the_splits_are_told_as_well(tmp_path):
    report = tmp_path / "report.json"
    told = check(load_task("recommender").template, "--json", report, status=0)
    sizes = json.loads(report.read_text())["splits"]["histories"]
    assert min(sizes[split] for split in SPLITS) > 0
    assert "splits of histories: " + ", ".join(f"{split} {sizes[split]}" for split in SPLITS) in told


def test_splits_that_cannot_be_are_told_after_the_rest(file):
    told = check(file, "--text", "body", "--split", "part", status=1)
    assert "12 rows, 12 taken" in told
    assert "no splits: no row is of the split train" in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "name the columns of .* that count, such as --text COLUMN --label COLUMN"),
        (
            ("--text", "bdy"),
            "no column 'bdy'; its columns are id, body, topic, .*; did you mean 'body'",
        ),
        (("--text", "body", "--label", "body"), "column 'body' is named twice; a column is of one kind"),
        (("--split", "part", "--group", "customer"), "three ways to split; choose one of them"),
    ],
)
def test_a_mistake_in_the_options_is_told(file, options, told):
    done = CliRunner().invoke(app, ["check", str(file), *options])
    assert isinstance(done.exception, SteerError)
    with pytest.raises(SteerError, match=told):
        raise done.exception
