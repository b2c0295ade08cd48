import numpy as np

from apps.recommender.data import spoken_title
from apps.recommender.splits import NEXT, moments, retriever_histories


def test_the_whole_data_set_is_read(data):
    assert len(data.users) == 671
    assert sum(len(events.items) for events in data.users.values()) == 100_004 - 7  # seven ratings lack a title
    toy_story = data.items[0]
    assert (toy_story.title, toy_story.year) == ("Toy Story", 1995)
    assert "Animation" in toy_story.genres
    assert data.genres.shape == (len(data.items), 19)


def test_titles_read_as_people_say_them():
    assert spoken_title("Piano, The") == "The Piano"
    assert spoken_title("Enfer, L'") == "L'Enfer"
    assert spoken_title("Cry, the Beloved Country") == "Cry, the Beloved Country"
    assert spoken_title("City of Lost Children, The (Cité des enfants perdus, La)").startswith("The City of Lost")


def test_equal_times_keep_the_order_of_the_file(data):
    assert [data.items[row].movie for row in data.users[1].items[:3]] == [1339, 1129, 2105] or (
        len(data.users[1].items) == 20
    )


def test_no_moment_knows_its_targets_or_anything_after_them(data):
    for split in ("train", "validation", "test"):
        for moment in moments(data, split):
            events = data.users[moment.user]
            first = len(moment.seen)
            np.testing.assert_array_equal(moment.seen, events.items[:first])
            assert not np.isin(moment.relevant, moment.seen).any()
            assert len(moment.relevant) == NEXT
            later = events.items[first:]
            ratings = dict(zip(later.tolist(), events.ratings[first:].tolist(), strict=True))
            assert all(ratings[film] >= 3.5 for film in moment.relevant.tolist())


def test_splits_and_the_retrievers_share_do_not_overlap(data):
    learnt = dict(zip(data.users, retriever_histories(data), strict=True))
    targets: dict[int, list[int]] = {}
    for split in ("train", "validation", "test"):
        for moment in moments(data, split):
            targets.setdefault(moment.user, []).extend(moment.relevant.tolist())
    assert len(moments(data, "test")) == len(moments(data, "validation")) > 500
    for user, films in targets.items():
        assert len(films) == len(set(films))
        assert not np.isin(films, learnt[user]).any()


def test_a_low_rating_is_no_like(data):
    events = data.users[1]
    assert (events.ratings[events.likes] >= 3.5).all()
    assert len(events.likes) < len(events.items)
