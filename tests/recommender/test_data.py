import numpy as np
import pandas as pd

from apps.recommender.movielens import SHIPPED, spoken_title
from apps.recommender.splits import history_cuts, retriever_histories
from core.data.packages import fetch_packaged, packaged

SOURCE = packaged(SHIPPED)


def test_the_whole_data_set_is_read(data):
    assert len(data.users) == 671
    assert sum(len(events.items) for events in data.users.values()) == 100_004 - 7  # seven ratings lack a title
    toy_story = data.items[0]
    assert (toy_story.id, toy_story.title, toy_story.year) == ("1", "Toy Story", 1995)
    assert "Animation" in toy_story.tags
    assert data.tags.shape == (len(data.items), 19)


def test_titles_read_as_people_say_them():
    assert spoken_title("Piano, The") == "The Piano"
    assert spoken_title("Enfer, L'") == "L'Enfer"
    assert spoken_title("Cry, the Beloved Country") == "Cry, the Beloved Country"
    assert spoken_title("City of Lost Children, The (Cité des enfants perdus, La)").startswith("The City of Lost")


def test_equal_times_keep_the_order_of_the_file(data):
    file = pd.read_pickle(fetch_packaged(SOURCE) / SOURCE.pinned, compression="xz")  # noqa: S301 - checked above
    file = file.dropna(subset=["title", "year"])
    for user, rated in file.groupby("userId"):
        in_order = sorted(zip(rated["timestamp"], range(len(rated)), rated["movieId"], strict=True))
        assert [data.items[row].id for row in data.users[str(user)].items] == [str(movie) for *_, movie in in_order]
    assert file.duplicated(["userId", "timestamp"]).sum() > 10_000


def test_no_cut_knows_its_targets_or_anything_after_them(data):
    for split in ("train", "validation", "test"):
        for cut in history_cuts(data, split):
            events = data.users[cut.user]
            first = len(cut.seen)
            np.testing.assert_array_equal(cut.seen, events.items[:first])
            assert not np.isin(cut.relevant, cut.seen).any()
            assert len(cut.relevant) == data.next_likes
            is_liked = dict(zip(events.items.tolist(), events.is_liked.tolist(), strict=True))
            assert all(is_liked[film] for film in cut.relevant.tolist())
            assert np.isin(cut.relevant, events.items[first:]).all()


def test_splits_and_the_retrievers_share_do_not_overlap(data):
    learnt = dict(zip(data.users, retriever_histories(data), strict=True))
    targets: dict[int, list[int]] = {}
    for split in ("train", "validation", "test"):
        for cut in history_cuts(data, split):
            targets.setdefault(cut.user, []).extend(cut.relevant.tolist())
    assert len(history_cuts(data, "test")) == len(history_cuts(data, "validation")) > 500
    for user, films in targets.items():
        assert len(films) == len(set(films))
        assert not np.isin(films, learnt[user]).any()


def test_a_low_rating_is_no_like(data):
    table = pd.read_pickle(fetch_packaged(SOURCE) / SOURCE.pinned, compression="xz")  # noqa: S301 - checked above
    rated = table[table["userId"] == 1].set_index("movieId")["rating"]
    events = data.users["1"]
    for row, is_liked in zip(events.items, events.is_liked, strict=True):
        assert is_liked == (rated[int(data.items[row].id)] >= 3.5)
    assert 0 < len(events.likes) < len(events.items)
