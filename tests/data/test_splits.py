"""No row is lost or doubled by a split, and what belongs together stays together."""

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from hypothesis import given
from hypothesis import strategies as st

from core.data.duplicates import near_duplicate_groups
from core.data.splits import SPLITS, split_by_column, split_by_time, split_named, split_randomly
from core.util.errors import SteerError

WORDS = [
    "chain",
    "brake",
    "tyre",
    "opening",
    "saturday",
    "helmet",
    "price",
    "saddle",
    "repair",
    "light",
    "lock",
    "bell",
]
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join)
TEXTS = st.lists(SENTENCES, min_size=3, max_size=40)
SURE = 0.9  # of such pairs, one in twenty million is overlooked; at the threshold itself one in five thousand
START = datetime(2024, 1, 1, tzinfo=UTC)


def table(**columns: list) -> Dataset:
    return Dataset.from_dict({"row": list(range(len(next(iter(columns.values()))))), **columns})


def rows_of(splits) -> list[int]:
    """The rows of the parts, each of which must have some."""
    assert list(splits) == list(SPLITS)
    assert all(len(part) for part in splits.values())
    return [row for part in splits.values() for row in part["row"]]


def splits_of(splits, column: str) -> dict[object, set[str]]:
    """The splits in which each value of a column stands."""
    found = defaultdict(set)
    for split, part in splits.items():
        for value in part[column]:
            found[value].add(split)
    return found


def jaccard(one: str, other: str) -> float:
    """Of the character 4-grams of words, written anew after the definition."""
    first, second = (
        {f" {word} "[at : at + 4] for word in re.findall(r"\w+", text.lower()) for at in range(max(1, len(word) - 1))}
        for text in (one, other)
    )
    return len(first & second) / len(first | second)


@given(labels=st.lists(st.sampled_from("abc"), min_size=3, max_size=200), seed=st.integers(0, 99))
def test_labels_have_their_share_in_each_part(labels, seed):
    splits = split_randomly(table(label=labels), label="label", seed=seed)
    assert sorted(rows_of(splits)) == list(range(len(labels)))
    for label in set(labels):
        count = labels.count(label)
        for split, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
            assert abs(splits[split]["label"][:].count(label) - share * count) < 2
    again = split_randomly(table(label=labels), label="label", seed=seed)
    assert rows_of(again) == rows_of(splits)


@given(groups=st.lists(st.integers(0, 12), min_size=3, max_size=80).filter(lambda groups: len(set(groups)) > 2))
def test_a_group_is_in_one_part(groups):
    splits = split_randomly(table(group=groups), group="group")
    assert sorted(rows_of(splits)) == list(range(len(groups)))
    assert all(len(found) == 1 for found in splits_of(splits, "group").values())


@given(texts=TEXTS, data=st.data())
def test_near_duplicates_are_in_one_part(texts, data):
    copies = [text.upper().replace(" ", ", ") + "!" for text in data.draw(st.lists(st.sampled_from(texts), max_size=9))]
    texts = [*texts, *copies]
    try:
        splits = split_randomly(table(text=texts), text="text")
    except SteerError:
        assert len(set(near_duplicate_groups(texts).tolist())) < 3
        return
    assert sorted(rows_of(splits)) == list(range(len(texts)))
    split_of = {row: split for split, part in splits.items() for row in part["row"]}
    for row, text in enumerate(texts):
        for other in range(row):
            if jaccard(text, texts[other]) >= SURE:
                assert split_of[row] == split_of[other]


@given(texts=TEXTS, groups=st.data())
def test_what_a_group_and_a_near_duplicate_tie_together_through_each_other_is_in_one_part(texts, groups):
    names = [groups.draw(st.integers(0, len(texts))) for _ in texts]
    try:
        splits = split_randomly(table(text=texts, group=names), text="text", group="group")
    except SteerError as error:
        assert "that are not bound together" in str(error)  # noqa: PT017 - either outcome is right
        return
    assert all(len(found) == 1 for found in splits_of(splits, "group").values())
    assert all(len(found) == 1 for found in splits_of(splits, "text").values())


@given(days=st.lists(st.integers(0, 30), min_size=3, max_size=100).filter(lambda days: len(set(days)) > 2))
def test_time_never_runs_back(days):
    splits = split_by_time(table(when=[START + timedelta(days=day) for day in days]), "when")
    assert sorted(rows_of(splits)) == list(range(len(days)))
    for earlier, later in (("train", "validation"), ("validation", "test")):
        assert max(splits[earlier]["when"]) < min(splits[later]["when"])


@given(names=st.lists(st.sampled_from(["train", "validation", "test", "dev", "Training"]), max_size=60))
def test_a_column_is_believed(names):
    names = ["train", "val", "TEST", *names]
    splits = split_by_column(table(part=names), "part")
    assert sorted(rows_of(splits)) == list(range(len(names)))
    assert all(split_named(name) == split for split, part in splits.items() for name in part["part"])


def test_a_column_of_classes_is_read_by_their_names():
    features = Features(part=ClassLabel(names=["test", "train", "dev"]))
    splits = split_by_column(Dataset.from_dict({"part": ["dev", "test", "train", "train"]}, features=features), "part")
    assert {split: len(part) for split, part in splits.items()} == {"train": 2, "validation": 1, "test": 1}


def test_times_are_cut_at_three_and_four_fifths():
    splits = split_by_time(table(when=[START + timedelta(hours=hour) for hour in reversed(range(100))]), "when")
    assert {split: len(part) for split, part in splits.items()} == {"train": 60, "validation": 20, "test": 20}


def test_another_seed_divides_otherwise():
    rows = table(text=[str(number) for number in range(50)])
    assert rows_of(split_randomly(rows, seed=3)) != rows_of(split_randomly(rows, seed=4))
    assert {split: len(part) for split, part in split_randomly(rows).items()} == {
        "train": 30,
        "validation": 10,
        "test": 10,
    }


def test_rows_without_a_group_are_each_their_own():
    rows = Dataset.from_dict(
        {"row": range(9), "group": [None] * 9}, features=Features(row=Value("int64"), group=Value("string"))
    )
    assert sorted(rows_of(split_randomly(rows, group="group"))) == list(range(9))


@pytest.mark.parametrize(
    ("split", "told"),
    [
        (lambda rows: split_randomly(rows, label="topic"), "there is no column 'topic' to split by; there are row,"),
        (lambda rows: split_randomly(rows, text="text"), "three splits need at least 3 rows that are not bound"),
        (lambda rows: split_randomly(rows.select([0, 1])), "three splits need at least 3 rows; there are 2"),
        (lambda rows: split_by_column(rows, "text"), "column 'text' must say train, validation or test; it says ' b"),
        (lambda rows: split_by_column(table(part=["train"] * 3), "part"), "no row is of the split validation"),
        (lambda rows: split_by_time(rows, "when"), "column 'when' is empty in a row; leave such rows out before"),
        (lambda rows: split_by_time(rows.select([0, 1]), "when"), "three splits need at least 3 moments in column"),
    ],
    ids=range(7),
)  # fmt: skip
def test_what_cannot_be_split_says_why(split, told):
    rows = table(text=["bell", "Bell", " bell!"], when=[START, START, None])
    with pytest.raises(SteerError) as refused:
        split(rows)
    assert str(refused.value).startswith(told)


def test_chinese_texts_and_texts_of_signs_are_told_apart():
    groups = near_duplicate_groups(
        ["你们周六几点开门营业", "你们周六几点开门营业?", "我的自行车链条断了", ":-)", ":-(", "", " "]
    )
    assert groups[0] == groups[1]
    assert len({groups[0], groups[2], groups[3], groups[4], groups[5]}) == 5
    assert groups[5] == groups[6]


def test_many_near_duplicates_of_one_template_are_one_group_in_little_time():
    texts = [
        f"your order number {number} was shipped and will arrive within three working days" for number in range(5000)
    ]
    assert len(set(near_duplicate_groups(texts).tolist())) == 1
