"""The shipped news: complete, split by time without leaks, neither trivial nor random for a bag of words."""

import json
from collections import defaultdict

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from apps.finance_monitor.config import NewsConfig
from apps.finance_monitor.data import EXAMPLE, TOPICS, example_data, read_news_data
from core.data.splits import SPLITS
from core.data.windows import MARK
from core.training.workspace import read_workspace
from core.util.errors import SteerError
from tests.near_duplicates import near_duplicate_pairs


@pytest.fixture(scope="module")
def newsroom():
    return example_data()


def of_differing_moods(headlines):
    moods = defaultdict(set)
    for item in headlines:
        moods[item.headline].add(item.sentiment)
    return [item for item in headlines if len(moods[item.headline]) > 1]


def accuracy_of_a_bag_of_words(train, test, label):
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=2000)
    )
    model.fit([item.headline for item in train], [getattr(item, label) for item in train])
    return model.score([item.headline for item in test], [getattr(item, label) for item in test])


def test_the_stream_is_as_large_as_promised(newsroom):
    assert len(newsroom.news) >= 3000
    assert len(newsroom.companies) >= 25
    assert {item.topic for item in newsroom.news} == set(TOPICS)
    assert len([episode for episode in newsroom.episodes if episode.kind == "surge"]) >= 6
    assert len([episode for episode in newsroom.episodes if episode.kind != "surge"]) >= 4


def test_news_has_a_daily_and_weekly_rhythm(newsroom):
    hours = [item.time.hour for item in newsroom.news]
    days = [item.time.weekday() for item in newsroom.news]
    assert sum(7 <= hour <= 17 for hour in hours) > 4 * sum(hour >= 20 or hour <= 4 for hour in hours)
    assert sum(day < 5 for day in days) / 5 > 2 * sum(day >= 5 for day in days) / 2


def test_splits_follow_one_another_in_time(newsroom):
    train, validation, test = (newsroom.of(split) for split in ("train", "validation", "test"))
    assert train[-1].time < validation[0].time
    assert validation[-1].time < test[0].time
    for split in ("train", "validation", "test"):
        kinds = [episode.kind == "surge" for episode in newsroom.episodes if episode.split == split]
        assert any(kinds)
        assert not all(kinds)


def test_headlines_tell_companies_apart_and_are_no_part_of_the_stream(newsroom):
    differing = of_differing_moods(newsroom.headlines)
    assert len(differing) >= 1000
    assert len({item.headline for item in differing}) >= 550
    assert {item.headline for item in newsroom.headlines}.isdisjoint(item.headline for item in newsroom.news)
    assert len({item.id for item in newsroom.headlines}) == len(newsroom.headlines)
    assert len({(item.company, item.headline) for item in newsroom.headlines}) == len(newsroom.headlines)


def test_the_company_that_a_headline_is_labelled_for_is_named_in_it(newsroom):
    texts = [newsroom.text(item.company, item.headline) for item in newsroom.headlines]
    assert all(MARK in text for text in texts)
    assert sum(text.startswith(f"{MARK}: ") for text in texts) < 0.01 * len(texts)  # "Corvane: notice of meeting" does


def test_near_duplicates_never_cross_splits(newsroom):
    items = [*newsroom.news, *newsroom.headlines]
    pairs = near_duplicate_pairs([item.headline for item in items])
    assert [(a, b) for a, b in pairs if items[a].split != items[b].split] == []
    read = [{newsroom.text(item.company, item.headline) for item in newsroom.labelled(split)} for split in SPLITS]
    assert sum(map(len, read)) == len(set.union(*read))


@pytest.mark.parametrize("label", ["sentiment", "topic"])
def test_a_bag_of_words_scores_what_the_data_card_says(newsroom, label):
    train, test = newsroom.of("train"), newsroom.of("test")
    accuracy = accuracy_of_a_bag_of_words(train, test, label)
    assert 0.45 < accuracy < 0.85
    assert f"{label} accuracy" in " ".join((EXAMPLE / "README.md").read_text().split())
    assert f"{accuracy:.3f}" in (EXAMPLE / "README.md").read_text()


def test_a_bag_of_words_tells_no_company_of_a_headline_from_another(newsroom):
    differing = [item for item in of_differing_moods(newsroom.headlines) if item.split == "test"]
    accuracy = accuracy_of_a_bag_of_words(newsroom.labelled("train"), differing, "sentiment")
    assert accuracy < 0.45
    assert f"{accuracy:.3f}" in (EXAMPLE / "README.md").read_text()


def test_a_malformed_row_is_refused_with_its_line(tmp_path):
    for name in ("steer.yaml", "companies.jsonl", "episodes.jsonl", "headlines.jsonl"):
        (tmp_path / name).write_bytes((EXAMPLE / name).read_bytes())
    row = {"id": "n1", "time": "soon", "headline": "Corvane on fire", "topic": "operations", "sentiment": "negative"}
    (tmp_path / "news.jsonl").write_text(json.dumps(row))
    with pytest.raises(SteerError, match=r"news.jsonl is malformed: line 1: time"):
        read_news_data(read_workspace(tmp_path, NewsConfig))
