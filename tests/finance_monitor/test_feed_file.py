"""A file that is followed, whatever its writer does with it: appends, truncates, writes anew, rotates, goes away."""

import json

import pytest
from structlog.testing import capture_logs

from apps.finance_monitor.feed import FeedFile
from core.util.errors import SteerError


def line(headline: str) -> str:
    return json.dumps({"time": "2025-03-03T09:00:00Z", "company": "corvane", "headline": headline}) + "\n"


def lines(*headlines: str) -> str:
    return "".join(map(line, headlines))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "feed.jsonl"


@pytest.fixture
def feed(file):
    feed = FeedFile(file)
    yield feed
    feed.close()


def polled(feed: FeedFile) -> list[str]:
    return [item.headline for item in feed.poll()]


def test_a_feed_that_disappears_is_named_and_read_on_when_it_is_back(file, feed):
    with pytest.raises(SteerError, match=r"cannot read the feed feed\.jsonl"):
        feed.poll()
    file.write_text(lines("one"))
    assert polled(feed) == ["one"]
    file.unlink()
    with pytest.raises(SteerError, match=r"cannot read the feed feed\.jsonl"):
        feed.poll()
    file.write_text(lines("two"))
    assert polled(feed) == ["two"]
    assert polled(feed) == []


def test_a_feed_is_read_in_portions(file):
    one = line("one")
    file.write_text(one * 3 + "x" * 500 + "\n" + one)
    feed, found, wrong = FeedFile(file, at_once=2 * len(one)), [], []
    for _ in range(12):
        found += feed.poll()
        wrong += feed.rejected
    feed.close()
    assert len(found) == 4
    assert all("not JSON" in reason for reason in wrong)


def test_a_half_written_line_waits(file, feed):
    file.write_text(lines("one") + line("two")[:30])
    assert polled(feed) == ["one"]
    with file.open("a") as stream:
        stream.write(line("two")[30:])
    assert polled(feed) == ["two"]
    assert feed.rejected == []


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(["four"], id="shorter"),
        pytest.param(["ONE", "TWO", "THREE"], id="of the same size"),
        pytest.param(["ONE", "TWO", "THREE", "FOUR", "FIVE"], id="longer"),
        pytest.param(["ONE", "two", "three"], id="that ends alike"),
        pytest.param(["one", "two", "a third", "four"], id="that begins alike"),
        pytest.param([f"other {number}" for number in range(200)], id="much longer"),
    ],
)
def test_a_file_that_is_truncated_and_written_anew_is_read_from_its_beginning_which_is_told(file, feed, second):
    file.write_text(lines("one", "two", "three"))
    assert polled(feed) == ["one", "two", "three"]
    before = file.stat().st_ino
    file.write_text(lines(*second))
    assert file.stat().st_ino == before
    with capture_logs() as log:
        assert polled(feed) == second
        assert polled(feed) == []
    assert feed.rejected == []
    (told,) = log
    assert (told["event"], told["feed"]) == ("the feed is read from its beginning", "feed.jsonl")


def test_a_file_that_was_truncated_waits_for_new_lines_and_numbers_them_from_one(file, feed):
    file.write_text(lines("one", "two", "three"))
    feed.poll()
    file.write_text("")
    assert polled(feed) == []
    with file.open("a") as stream:
        stream.write("not json\n" + line("one"))
    assert polled(feed) == ["one"]
    assert feed.rejected[0].startswith("line 1: not JSON")


def test_what_was_still_written_to_a_file_that_is_rotated_is_read_before_the_new_one(file, feed):
    file.write_text(lines("one"))
    assert polled(feed) == ["one"]
    with file.open("a") as stream:
        stream.write(line("two"))
    file.rename(file.with_suffix(".1"))
    file.write_text(lines("three"))
    assert polled(feed) + polled(feed) == ["two", "three"]
    fresh = file.with_suffix(".new")
    fresh.write_text(lines("three", "four"))
    fresh.replace(file)
    assert polled(feed) == ["three", "four"]  # a key counts once


def test_a_file_of_which_every_portion_is_longer_than_a_mark_is_followed(file, feed):
    many = [f"headline {number}" for number in range(300)]
    file.write_text(lines(*many[:200]))
    assert polled(feed) == many[:200]
    with file.open("a") as stream:
        stream.write(lines(*many[200:]))
    with capture_logs() as log:
        assert polled(feed) == many[200:]
    assert log == []
