"""The page about data works as it stands."""

import re
from pathlib import Path

import pytest

from core.util.errors import SteerError

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
TABLE = """id;Body of the mail;label;received;stars;tags
007;my chain broke;workshop;2024-05-01T12:00:00+02:00;5;chain|urgent
8;when do you open;answer;1714600000;;
9;do you sell helmets;answer;2024-05-03T12:00:00Z;4.5;["shop"]
"""


@pytest.fixture
def code(tmp_path, monkeypatch) -> str:
    (tmp_path / "messages.csv").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return code


def run(code: str) -> dict:
    names: dict = {"__name__": __name__}
    exec(compile(code, str(PAGE), "exec"), names)
    return names


def test_the_table_of_the_page_is_read_and_split(code):
    names = run(code)
    rows = names["rows"]
    assert rows["id"][:] == ["007", "8", "9"]
    assert rows["label"][:] == [1, 0, 0]
    assert rows["stars"][:] == [5.0, None, 4.5]
    assert rows["tags"][:] == [["chain", "urgent"], [], ["shop"]]
    assert [len(part) for part in names["splits"].values()] == [1, 1, 1]


def test_the_message_of_the_page_is_what_is_said(code):
    bad = TABLE.replace(";4.5;", ";nan;").encode() + b"\n10;caf\xe9;answer;2024-05-03T12:00:00Z;4.5;\n"
    Path("messages.csv").write_bytes(bad)
    with pytest.raises(SteerError) as refused:
        run(code)
    assert str(refused.value) in PAGE.read_text(encoding="utf-8")
