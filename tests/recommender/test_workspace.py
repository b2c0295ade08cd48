"""A shop's own items and events: every format, ids as they are written, and what is said of tables that are wrong."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apps.recommender.candidates import CANDIDATES, CandidateBuilder
from apps.recommender.config import ShopConfig
from apps.recommender.data import ShopData
from apps.recommender.list_rule import ListRule
from apps.recommender.reading import check_shop_data, read_shop_data
from apps.recommender.retriever import RetrieverSettings
from apps.recommender.retriever_cache import open_retriever
from apps.recommender.splits import PICKS, history_cuts, known_histories
from core.data.splits import SPLITS
from core.models.weights import DEFAULT_ENCODER
from core.training.workspace import Workspace, WorkspaceReport, read_workspace
from core.util.errors import SteerError

SONGS = [f"s/{number:03d}é" for number in range(30)]
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "steer.yaml").write_text("app: recommender\nname: songs\nitems: items.csv\nevents: events.csv\n")
    write_items(tmp_path)
    write_events(tmp_path, listens())
    return tmp_path


def write_items(folder: Path, header: str = "id,title", row: str = "{id},Song {n}") -> None:
    lines = [row.format(id=id_, n=n) for n, id_ in enumerate(SONGS)]
    (folder / "items.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def listens(people: int = 3, songs: int = 16) -> list[tuple[str, str, str]]:
    """User, item and time of so many likes of each person, oldest first."""
    return [
        (f"{person:03d}", SONGS[(person + at) % len(SONGS)], (BEGIN + timedelta(hours=at)).isoformat())
        for person in range(people)
        for at in range(songs)
    ]


def write_events(folder: Path, rows: list[tuple], header: str = "user,item,time") -> None:
    lines = [",".join(map(str, row)) for row in rows]
    (folder / "events.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def configure(folder: Path, **more: object) -> Workspace[ShopConfig]:
    content = {"app": "recommender", "name": "songs", "items": "items.csv", "events": "events.csv", **more}
    (folder / "steer.yaml").write_text(json.dumps(content))
    return read_workspace(folder, ShopConfig)


def read(folder: Path, **more: object) -> ShopData:
    return read_shop_data(configure(folder, **more))


def check(folder: Path, **more: object) -> WorkspaceReport:
    return check_shop_data(configure(folder, **more))


def liked_by(data: ShopData, user: str) -> list[str]:
    events = data.users[user]
    return [data.items[row].id for row in events.items[events.likes]]


def told(report: WorkspaceReport) -> list[str]:
    """Each reason for which rows were left out, with the first of them."""
    rejected = [why for each in report.tables for why in each.rejected]
    return [f"{why.count} {why.column}: {why.reason}: {why.first[0]}" for why in rejected]


def test_ids_stay_what_they_were(folder):
    data = read(folder)
    assert [item.id for item in data.items] == SONGS
    assert list(data.users) == ["000", "001", "002"]
    assert liked_by(data, "002") == SONGS[2:18]


def test_events_are_put_in_the_order_of_their_times(folder):
    rows = listens()
    write_events(folder, rows[::-1])
    assert liked_by(read(folder), "001") == SONGS[1:17]
    write_events(folder, [(user, item) for user, item, _ in rows[::-1]], "user,item")
    assert liked_by(read(folder), "001") == SONGS[1:17][::-1]


def test_an_item_is_liked_once_its_events_add_up(folder):
    done = [("ann", SONGS[at], 1_700_000_000 + at, "buy", "") for at in range(15)]
    done += [
        ("ann", SONGS[20], 1_700_000_100, "view", 9),
        ("ann", SONGS[21], 1_700_000_101, "view", ""),
        ("ann", SONGS[20], 1_700_000_102, "view", ""),  # the tenth view
        ("ann", SONGS[3], 1_700_000_103, "hide", ""),
    ]
    write_events(folder, done, "user,item,time,type,value")
    data = read(folder, next_likes=4)
    assert liked_by(data, "ann") == [*SONGS[:3], *SONGS[4:15], SONGS[20]]
    assert [data.items[row].id for row in data.users["ann"].items][-2:] == [SONGS[21], SONGS[20]]
    worth_more = read(folder, next_likes=4, weights={"view": 1.0})
    assert liked_by(worth_more, "ann")[-2:] == SONGS[20:22]


def test_a_rating_is_a_like_from_the_threshold_on(folder):
    rated = [("ann", SONGS[at], at % 5 + 1) for at in range(30)]
    write_events(folder, rated, "user,item,rating")
    assert len(liked_by(read(folder, next_likes=2), "ann")) == 12
    assert len(liked_by(read(folder, next_likes=2, liked_from=3), "ann")) == 18


def test_columns_may_be_called_otherwise_and_several_make_the_text(folder):
    write_items(folder, "sku,name of it,blurb,lyrics,kinds", '{id},Song {n},"slow, sad",la la {n},blues|live')
    items = {"source": "items.csv", "columns": {"id": "sku", "title": "name of it", "tags": "kinds"}}
    data = read(folder, items={**items, "texts": ["blurb", "lyrics"]})
    assert data.items[4].text == "Song 4. slow, sad. la la 4. blues, live"
    assert data.items[4].tags == ("blues", "live")
    with pytest.raises(SteerError, match="no column 'blurbs' for `texts:`; its columns are sku, name of it, blurb"):
        read(folder, items={**items, "texts": ["blurbs"]})


@pytest.mark.parametrize("form", ["parquet", "jsonl", "folder"])
def test_any_table_will_do(folder, form):
    table = pd.DataFrame(listens(), columns=["user", "item", "time"])
    if form == "parquet":
        table.to_parquet(folder / "done.parquet")
    elif form == "jsonl":
        table.to_json(folder / "done.jsonl", orient="records", lines=True, force_ascii=False)
    else:
        (folder / "done").mkdir()
        for user, rows in table.groupby("user"):
            rows.to_csv(folder / "done" / f"{user}.csv", index=False)
    source = "done" if form == "folder" else f"done.{form}"
    assert liked_by(read(folder, events=source), "001") == SONGS[1:17]


def test_movielens_is_read_as_it_is_published(folder):
    films = [f"{n + 1}::Enfer, L' (19{70 + n})::Drama|Comédie" for n in range(30)]
    (folder / "movies.dat").write_bytes("\n".join(films).encode("latin-1"))
    ratings = [f"7::{n + 1}::{n % 2 * 5}::{978300760 + n}" for n in range(30)]
    (folder / "ratings.dat").write_text("\n".join([*ratings, "7::31::5"]))
    data = read(folder, items="movies.dat", events="ratings.dat")
    first = data.items[0]
    assert (first.id, first.title, first.year, first.tags) == ("1", "L'Enfer", 1970, ("Drama", "Comédie"))
    assert liked_by(data, "7") == [str(n) for n in range(2, 31, 2)]
    report = check(folder, items="movies.dat", events="ratings.dat")
    assert told(report) == ["1 : 3 cells, and not 4 that are parted by ::: line 31"]
    films = [f'{n + 1},"Piano, The (1993)",(no genres listed)' for n in range(30)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *films]))
    ratings = [f"7,{n + 1},{n % 2 * 5},{978300760 + n}" for n in range(30)]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *ratings]))
    small = read(folder, items="movies.csv", events="ratings.csv")
    assert (small.items[1].title, small.items[1].year, small.items[1].tags) == ("The Piano", 1993, ())
    assert liked_by(small, "7") == liked_by(data, "7")


def test_atomic_files_of_recbole_are_read(folder):
    items = [f"{n:03d}\tOld Song {n}\tfolk live\t{1990 + n}" for n in range(30)]
    header = "item_id:token\tmovie_title:token_seq\tclass:token_seq\trelease_year:token"
    (folder / "songs.item").write_text("\n".join([header, *items]))
    done = [f"u1\t{n:03d}\t{n % 2 * 5}.0\t{978300760 + n}.0" for n in range(30)]
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
    (folder / "songs.inter").write_text("\n".join([header, *done, "u1\t001"]))
    data = read(folder, items="songs.item", events="songs.inter")
    assert (data.items[7].id, data.items[7].title, data.items[7].tags) == ("007", "Old Song 7", ("folk", "live"))
    assert data.items[7].year == 1997
    assert liked_by(data, "u1") == [f"{n:03d}" for n in range(1, 30, 2)]
    assert told(check(folder, items="songs.item", events="songs.inter")) == [
        "1 : 2 cells under 4 columns, parted by tabs: line 32"
    ]


def test_lists_in_their_order_are_read_with_other_ids(folder):
    (folder / "likes.txt").write_text("\n".join(" ".join(str(n + 1) for n in range(at, at + 16)) for at in range(3)))
    (folder / "ids.txt").write_text("\n".join(f"{n + 1} {id_}" for n, id_ in enumerate(SONGS)), encoding="utf-8")
    data = read(folder, events={"source": "likes.txt", "ids": "ids.txt"})
    assert liked_by(data, "2") == SONGS[1:17]
    (folder / "ids.txt").write_text("1 2 3\n")
    with pytest.raises(SteerError, match="two ids on each line, and line 1 has 3"):
        read(folder, events={"source": "likes.txt", "ids": "ids.txt"})


def test_without_a_table_of_items_the_events_name_them(folder):
    write_events(folder, listens(11))
    data = read(folder, items=None)
    assert {item.id for item in data.items} <= set(SONGS)
    assert data.items[0].title == data.items[0].id


@pytest.mark.parametrize(
    ("header", "row", "says"),
    [
        ("user,item,rating", ("ann", SONGS[0], "nan"), "1 rating: not a finite number: line 50 (got 'nan')"),
        ("user,item,time", ("ann", "s/999", BEGIN.isoformat()), "1 item: no such item: line 50 (got 's/999')"),
        ("user,item,time", ("ann", SONGS[0], "2199-01-01T00:00:00Z"), "1 time: in the future: line 50"),
        ("user,item,time", ("ann", SONGS[0], "2025-01-01"), "1 time: without a time zone; end it with Z or +01:00"),
        ("user,item,type", ("ann", SONGS[0], "purchase"), "1 type: unknown; give its worth under `weights:`"),
    ],
)
def test_an_event_that_cannot_be_used_is_told_with_its_line(folder, header, row, says):
    third = {"rating": 5, "time": BEGIN.isoformat(), "type": "like"}[header.rpartition(",")[2]]
    write_events(folder, [*((user, item, third) for user, item, _ in listens()), row], header)
    (line,) = told(check(folder))
    assert line.startswith(says)
    assert "ann" not in read(folder).users


def test_duplicate_ids_of_items_are_told(folder):
    with (folder / "items.csv").open("a", encoding="utf-8") as file:
        file.write(f"{SONGS[3]},Song again\n")
    assert told(check(folder)) == [f"1 id: the same as in an earlier row: line 32 (got {SONGS[3]!r}, as in line 5)"]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (listens(1, 1), "nobody likes the 15 items .* the most is 1. Give more events"),
        ([(user, item, "2025-01-01") for user, item, _ in listens()], "most is 0.*line 2.*without a time zone"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused_and_checked_without_ado(folder, rows, says):
    write_events(folder, rows)
    with pytest.raises(SteerError, match=says):
        read(folder)
    assert any("nobody likes" in line for line in check(folder).remarks)


def test_too_few_items_are_refused(folder):
    (folder / "items.csv").write_text(f"id,title\n{SONGS[0]},One\n", encoding="utf-8")
    with pytest.raises(SteerError, match=r"1 items are too few: lists of 10 need at least 20.*no such item"):
        read(folder)


def test_tables_that_cannot_be_read_are_refused(folder):
    with pytest.raises(SteerError, match=r"there is no file or folder .*sales\.csv"):
        read(folder, events="sales.csv")
    write_events(folder, listens(), "who,item,time")
    with pytest.raises(SteerError, match="no column 'user'; its columns are who, item, time"):
        check(folder)
    (folder / "events.inter").write_text("user,item\nann,1\n")
    with pytest.raises(SteerError, match="no header of RecBole's such as user_id:token; got 'user,item'"):
        check(folder, events="events.inter")
    with pytest.raises(SteerError, match=r"items\.source|liked_form: there is no such key"):
        configure(folder, liked_form=4)
    with pytest.raises(SteerError, match=r"weights\.view: .* less than or equal to 1 \(got 7\)"):
        configure(folder, weights={"view": 7})


def test_of_two_hundred_columns_those_with_texts_are_named(folder):
    names = [f"column{n}" for n in range(197)]
    row = "{id},Song {n},a long text which nobody has asked the encoder to read," + ",".join("x" for _ in names)
    write_items(folder, ",".join(["id", "title", "liner notes", *names]), row)
    report = check(folder)
    assert told(report) == []
    assert any("Columns that hold some: liner notes." in line for line in report.missing)


def test_a_check_says_how_many_histories_each_split_has(folder):
    write_events(folder, listens(songs=25))
    report, data = check(folder), read(folder)
    assert report.splits == {"histories": {split: len(history_cuts(data, split)) for split in SPLITS}}
    assert min(report.splits["histories"].values()) > 0


def test_events_that_are_there_twice_are_counted(folder):
    assert not any("same as another" in line for line in check(folder).remarks)
    write_events(folder, [*listens(), *listens()[:2], listens()[0]])
    assert any(line.startswith("3 events are the same as another one") for line in check(folder).remarks)
    write_events(folder, [row[:2] for row in (*listens(), *listens())], "user,item")
    assert not any("same as another" in line for line in check(folder).remarks)


def test_what_is_missing_is_told_with_what_it_would_bring(folder):
    write_events(folder, [*((user, item) for user, item, _ in listens()), ("bob", SONGS[0])], "user,item")
    report = check(folder)
    says = " ".join(report.missing)
    for what in ("No `texts:`", "No tags", "No times", "No types or ratings"):
        assert what in says
    (remark,) = report.remarks
    assert "1 of 4 people" in remark
    assert "1 have one event" in remark
    assert report.texts[0] == "Song 0. "


@pytest.fixture(scope="module")
def songs(tmp_path_factory) -> ShopData:
    """Thirty songs, one of them out of stock, and twelve people, of whom one has done a single thing."""
    folder = tmp_path_factory.mktemp("songs")
    write_items(folder, "id,title,tags,stock", "{id},Song {n},kind{n},{n}")
    write_events(folder, [*listens(11), ("bob", SONGS[1], BEGIN.isoformat())])
    return read(folder)


def test_a_small_shop_has_states_with_fewer_candidates(songs, tmp_path):
    settings = RetrieverSettings(DEFAULT_ENCODER, seed=0, epochs=1)
    known, rule = list(known_histories(songs, "test").values()), ListRule(100.0, 5.0, 1.0, 0.5)
    builder = CandidateBuilder(songs, open_retriever(songs, settings, print, tmp_path), known, rule)
    cuts = history_cuts(songs, "test")
    states = builder.states([cut.liked for cut in cuts], [cut.seen for cut in cuts])
    assert states["candidates"].shape == (11, CANDIDATES)
    for row, cut in zip(states["candidates"], cuts, strict=True):
        there = row[row >= 0]
        assert set(there.tolist()) == set(range(len(SONGS))) - set(cut.seen.tolist())
        assert len(there) >= PICKS


def test_cuts_leave_enough_for_a_list(songs):
    eager = ShopData(songs.items[:20], {"eve": songs.users["000"]})
    assert [len(cut.seen) for cut in history_cuts(eager, "validation")] == [6]
    assert history_cuts(eager, "test") == []


def test_who_did_one_thing_is_a_user_but_in_no_split(songs):
    assert liked_by(songs, "bob") == [SONGS[1]]
    assert "bob" not in {cut.user for split in ("train", "validation", "test") for cut in history_cuts(songs, split)}


def test_what_is_out_of_stock_may_not_be_recommended(songs):
    assert [item.id for item in songs.items if not item.is_offered] == SONGS[:1]


def test_co_occurrence_is_that_of_a_dense_matrix(builder, small):
    histories = known_histories(small, "test").values()
    likes = np.zeros((len(small.items), len(histories)))
    for user, history in enumerate(histories):
        likes[history, user] = 1.0
    likes /= np.sqrt(likes.sum(axis=1, keepdims=True) + 10.0)
    asked = [cut.liked for cut in history_cuts(small, "test")][:5]
    wanted = [likes @ likes[history[-10:]].sum(axis=0) for history in asked]
    np.testing.assert_allclose(builder.co_occurrence(asked), wanted, atol=1e-5)
