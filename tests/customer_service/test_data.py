"""The shipped data set: complete, split without leaks, and neither trivial nor random for a bag of words."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from apps.customer_service.config import EXAMPLE, SupportConfig
from apps.customer_service.data import OFF_TOPIC, SMALL_TALK
from apps.customer_service.reading import read_support_data
from core.data.splits import SPLITS
from core.training.workspace import Workspace, read_workspace
from core.util.errors import SteerError
from tests.near_duplicates import near_duplicate_pairs


@pytest.fixture(scope="module")
def data():
    return read_support_data(read_workspace(EXAMPLE, SupportConfig))


def test_the_data_set_is_as_large_as_promised(data):
    assert len(data.intents) >= 40
    assert len(data.utterances) >= 6000
    assert len(data.articles) >= 80
    assert len([c for c in data.conversations if len(c.turns) > 1]) >= 150
    kinds = Counter(utterance.kind for utterance in data.utterances)
    assert (
        min(kinds[kind] for kind in ("short", "ordinary", "long", "two_questions", "urgent_beside", "off_topic")) >= 150
    )


def test_every_answerable_intent_has_an_article_with_a_short_reply(data):
    with_reply = {article.intent for article in data.articles if article.template}
    assert {intent.intent for intent in data.intents} - data.hand_over_intents == with_reply


def test_small_talk_comes_in_every_split_and_kind(data):
    chatted = Counter((u.split, label) for u in data.utterances for label in set(u.intents) & set(SMALL_TALK))
    assert len(chatted) == len(SPLITS) * len(SMALL_TALK)
    assert chatted.total() >= 250
    assert min(chatted.values()) >= 5


def test_every_label_is_a_known_intent(data):
    known = {intent.intent for intent in data.intents} | {OFF_TOPIC, *SMALL_TALK}
    assert all(set(utterance.intents) <= known for utterance in data.utterances)


def test_near_duplicates_never_cross_splits(data):
    texts = [(u.text, u.split) for u in data.utterances]
    texts += [(message, c.split) for c in data.conversations for message in c.customer]
    crossing = [
        (texts[a][0], texts[b][0])
        for a, b in near_duplicate_pairs([text for text, _ in texts])
        if texts[a][1] != texts[b][1]
    ]
    assert crossing == []


def test_a_bag_of_words_scores_what_the_data_card_says(data):
    single = [u for u in data.utterances if len(u.intents) == 1]
    train, test = ([u for u in single if u.split == split] for split in ("train", "test"))
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=20, max_iter=2000)
    )
    model.fit([u.text for u in train], [u.intents[0] for u in train])
    accuracy = model.score([u.text for u in test], [u.intents[0] for u in test])
    assert 0.2 < accuracy < 0.7
    assert f"{accuracy:.3f}" in (EXAMPLE / "README.md").read_text()


def copy_of_the_example(folder: Path) -> Workspace[SupportConfig]:
    shutil.copytree(EXAMPLE, folder)
    return read_workspace(folder, SupportConfig)


def test_a_malformed_file_is_refused_with_its_line(tmp_path):
    workspace = copy_of_the_example(tmp_path / "copy")
    utterances = workspace.path("utterances.jsonl")
    good = utterances.read_text().splitlines()[:2]
    utterances.write_text("\n".join([*good, '{"id": "u9", "text": 5}', "not json"]))
    with pytest.raises(SteerError, match=r"utterances.jsonl is malformed: line 3: text: .*; line 4: not JSON"):
        read_support_data(workspace)


def test_a_binary_file_is_refused(tmp_path):
    workspace = copy_of_the_example(tmp_path / "copy")
    workspace.path("intents.jsonl").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SteerError, match="not UTF-8"):
        read_support_data(workspace)
