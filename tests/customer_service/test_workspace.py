"""A company's own data: whatever it has is read, what is wrong with it is told, and what it lacks is made."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from apps.customer_service.config import SupportConfig
from apps.customer_service.data import MADE, OFF_TOPIC, SupportData
from apps.customer_service.environment import ACTIONS, customers
from apps.customer_service.reading import check_support_data, read_support_data
from apps.customer_service.task import CustomerService
from apps.customer_service.ui import _sources
from apps.customer_service.views import ChatTurn
from core.data.splits import SPLITS
from core.training.settings import load_settings
from core.training.workspace import Workspace, WorkspaceReport, read_workspace
from core.util.errors import SteerError

ARTICLES = {
    "opening.md": "# Opening hours\n\nWe are open from nine to five.\n\n## Holidays\n\nThe library is closed.",
    "cards.md": "# Library cards\n\nA card costs ten euros a year.\n\n## Lost cards\n\nA new card costs three euros.",
    "loans.md": "# Loans\n\nBooks may be kept for four weeks.\n\n## Longer loans\n\nA loan can be prolonged twice.",
}


def workspace(folder: Path, **files: str) -> Workspace[SupportConfig]:
    """A workspace of tables: `articles`, and whatever else is given."""
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    lines = [f"{name}: {name}.csv" for name in files]
    (folder / "steer.yaml").write_text("\n".join(["app: customer_service", "name: library", *lines]))
    return read_workspace(folder, SupportConfig)


def library(folder: Path, settings: str = "") -> Workspace[SupportConfig]:
    """A workspace that has articles alone, in Markdown."""
    (folder / "articles").mkdir(parents=True)
    for name, text in ARTICLES.items():
        (folder / "articles" / name).write_text(text)
    (folder / "steer.yaml").write_text(f"app: customer_service\nname: library\narticles: articles\n{settings}")
    return read_workspace(folder, SupportConfig)


def table(**articles: str) -> str:
    return "\n".join(["id,title,body", *(f"{key},{title},Text about {title}." for key, title in articles.items())])


SEVEN = table(
    **{f"00{n}": f"subject {word}" for n, word in enumerate(["cats", "dogs", "birds", "fish", "mice", "bees", "ants"])}
)


def told(report: WorkspaceReport) -> str:
    return " ".join(f"{each.column}: {each.reason} {each.first}" for part in report.tables for each in part.rejected)


@pytest.fixture(scope="module")
def from_articles(tmp_path_factory) -> SupportData:
    return read_support_data(library(tmp_path_factory.mktemp("library") / "it"))


def test_articles_alone_are_enough_each_section_answers_for_itself(from_articles):
    titles = {article.title for article in from_articles.articles}
    assert {"Opening hours", "Opening hours: Holidays", "Library cards: Lost cards"} <= titles
    assert len({article.intent for article in from_articles.articles}) == len(from_articles.articles)
    for split in SPLITS:
        wants = {customer.wants for customer in customers(from_articles, split)}
        assert wants == {"answer", "person", "small_talk", "nothing"}
    assert any(customer.vague for customer in customers(from_articles, "train"))


def test_validation_and_test_ask_about_articles_that_training_never_asks_about(from_articles):
    made = [each for each in from_articles.utterances if each.kind == MADE]
    asked = {split: {each.intents[0] for each in made if each.split == split} for split in SPLITS}
    assert all(asked.values())
    assert not asked["train"] & (asked["validation"] | asked["test"])
    assert not asked["validation"] & asked["test"]


def test_made_questions_are_the_articles_own_words(from_articles):
    text_of = {article.intent: f"{article.title} {article.body}".lower() for article in from_articles.articles}
    made = [each for each in from_articles.utterances if each.kind == MADE]
    assert any(each.text == "Holidays" for each in made)
    for each in made:
        words = [word.strip("?.,") for word in each.text.lower().split()]
        assert sum(word in text_of[each.intents[0]] for word in words) >= 1


def test_what_ships_for_every_company_names_no_shop(from_articles):
    own = " ".join(f"{each.text}" for each in from_articles.utterances).lower()
    assert "harbour" not in own
    assert "hp-" not in own


def test_a_bot_with_fewer_articles_than_candidates_has_nothing_else_to_offer(tmp_path):
    class Library(CustomerService):
        workspace = library(tmp_path / "it")

    task = Library(load_settings(CustomerService.presets["quick"]))
    shown = task.demonstrations("validation")
    is_there = shown.observations["candidates"] >= 0
    assert is_there.sum(axis=1).tolist() == [6] * len(is_there)
    assert not shown.targets[:, : is_there.shape[1]][~is_there].any()
    logits = task.policy(frozen=True).logits(shown.observations)
    assert logits[:, : is_there.shape[1]].exp().numpy()[~is_there].max() == 0
    assert task.reward_table(shown.observations).shape == (len(is_there), ACTIONS, ACTIONS)


def test_an_article_that_is_deleted_is_gone_and_a_new_one_is_there_at_the_next_reading(tmp_path):
    opened = library(tmp_path / "it")
    before = read_support_data(opened)
    assert read_support_data(opened) is before
    (tmp_path / "it/articles/cards.md").unlink()
    (tmp_path / "it/articles/rooms.md").write_text("# Rooms\n\nRooms can be booked for two hours.")
    after = read_support_data(opened)
    assert {article.title for article in before.articles} - {article.title for article in after.articles} == {
        "Library cards", "Library cards: Lost cards",
    }  # fmt: skip
    assert after.fingerprint != before.fingerprint
    assert "Rooms" in {article.title for article in after.articles}


def test_ids_stay_what_they_were(tmp_path):
    ids = ["007", "help/loans#late", "帮助", "a b"]
    data = read_support_data(workspace(tmp_path, articles=table(**{key: f"title {key}" for key in ids})))
    assert [article.id for article in data.articles] == ids
    assert [article.intent for article in data.articles] == ids


def test_a_dump_of_a_help_centre_is_read_as_text_and_links_to_its_pages(tmp_path):
    rows = [
        {"id": 1, "title": "Fines", "url": "https://library.example/fines?a=1&b=2",
         "body": "<h2>Much</h2><p>Ten cents&nbsp;a day.</p><script>alert(1)</script><ul><li>Children pay half.</ul>"},
        {"id": 2, "title": "Rooms", "url": "/rooms", "body": "Rooms for 2 < n < 9 people"},
        {"id": 3, "title": "Maps", "url": "javascript:alert(1)", "body": "Maps are on the second floor."},
        {"id": 4, "title": "Nothing", "body": "<p><img src=x></p>"},
    ]  # fmt: skip
    (tmp_path / "articles.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "steer.yaml").write_text("app: customer_service\nname: library\narticles: articles.jsonl\n")
    opened = read_workspace(tmp_path, SupportConfig)
    assert "body: HTML without text" in told(check_support_data(opened))
    (tmp_path / "articles.jsonl").write_text("\n".join(map(json.dumps, rows[:3])))
    fines, rooms, maps = read_support_data(opened).articles
    assert fines.body == "Much\nTen cents a day.\nChildren pay half."
    assert rooms.body == "Rooms for 2 < n < 9 people"
    assert [each.url for each in (fines, rooms, maps)] == ["https://library.example/fines?a=1&b=2", None, None]
    reply = ChatTurn(role="assistant", text="", time=datetime.now(UTC), action="answer", sources=[fines, rooms])
    assert re.findall('href="(.*?)"', _sources(reply, None)) == ["https://library.example/fines?a=1&amp;b=2"]


def test_columns_may_be_called_otherwise(tmp_path):
    (tmp_path / "faq.csv").write_text(
        "nr,question,answer\n1,When,Now\n2,Where,Here\n3,Who,We\n4,Why,So\n5,How,By bus\n"
    )
    (tmp_path / "steer.yaml").write_text(
        "app: customer_service\nname: faq\n"
        "articles: {source: faq.csv, columns: {id: nr, title: question, body: answer}}\n"
    )
    data = read_support_data(read_workspace(tmp_path, SupportConfig))
    assert [article.title for article in data.articles] == ["When", "Where", "Who", "Why", "How"]


def test_documents_have_no_columns(tmp_path):
    opened = library(tmp_path / "it")
    file = tmp_path / "it/steer.yaml"
    file.write_text(file.read_text().replace("articles: articles", "articles: {source: articles, columns: {id: nr}}"))
    with pytest.raises(SteerError, match="documents, which have no columns"):
        read_support_data(read_workspace(opened.folder, SupportConfig))


def test_what_customers_typed_is_taken_over_and_divided(tmp_path):
    kinds = ("dogs", "cats")
    typed = "".join(f"where do {n} {kinds[n % 2]} live {n * n},00{1 - n % 2}\n" for n in range(40))
    messages = f"text,intents\n{typed}do you sell cars,none\n"
    data = read_support_data(workspace(tmp_path, articles=SEVEN, messages=messages))
    real = [each for each in data.utterances if f"{each.text}," in messages]
    assert len(real) == 41
    assert {each.split for each in real} == set(SPLITS)
    # What customers have asked about often needs no questions made.
    assert not {"000", "001"} & {label for each in data.utterances if each.kind == MADE for label in each.intents}
    assert sum(OFF_TOPIC in each.intents for each in data.utterances) == 1


def test_a_log_of_single_messages_tells_what_was_wanted_and_when_one_had_to_ask(tmp_path):
    log = (
        "conversation,role,text,time,outcome,article\n"
        "7,customer,hello there,2026-01-02T10:00:00Z,,\n"
        "7,agent,how can I help,2026-01-02T10:01:00Z,,\n"
        "7,user,my dog,2026-01-02T10:02:00Z,,\n"
        "7,agent,read this,2026-01-02T10:03:00Z,solved,001\n"
        "8,customer,do cats sleep,2026-01-03T10:00:00Z,,\n"
        "8,agent,read this,2026-01-03T10:01:00Z,solved,000\n"
        "9,customer,bees!,2026-01-04T10:00:00Z,,\n"
        "9,agent,no idea,2026-01-04T10:01:00Z,handed_over,\n"
    )
    data = read_support_data(workspace(tmp_path, articles=SEVEN, logs=log))
    assert [(each.id, each.intent, each.opening, each.customer) for each in data.conversations] == [
        ("7", "001", "vague", ["hello there", "my dog"]),
        ("8", "000", "clear", ["do cats sleep"]),
    ]
    assert [each.split for each in data.conversations] == ["train", "validation"]


def test_the_check_names_every_row_that_cannot_be_used(tmp_path):
    report = check_support_data(
        workspace(
            tmp_path,
            articles=SEVEN + "\n000,again,Text.\n9,,No title.\n",
            messages="text,intents\nwhere are cats,000\nwhere are cats,001\nwhere are cows,cows\n,000\n",
            logs="conversation,role,text,article\n1,customer,hi,\n1,robot,hi,\n1,agent,read,77\n",
        )
    )
    assert [(part.rows, part.taken) for part in report.tables] == [(9, 7), (4, 2), (3, 1)]
    reasons = told(report)
    assert "id: the same as in an earlier row (\"line 9 (got '000', as in line 2)" in reasons
    assert "title: empty ('line 10',)" in reasons
    assert "intents: neither an intent nor an article (\"line 4 ('cows')\",)" in reasons
    assert "text: empty ('line 5',)" in reasons
    assert "article: there is no such article (\"line 4 ('77')\",)" in reasons
    assert "role" in reasons
    (contradiction,) = report.tables[1].contradictions
    assert dict(contradiction.labels) == {"000": "line 2", "001": "line 3"}


def test_the_check_says_what_is_missing_and_what_it_would_bring(tmp_path):
    missing = check_support_data(library(tmp_path / "it")).missing
    assert [each.split(":")[0] for each in missing] == [
        "no messages", "no logs", "no intents", "no off-topic messages (intents",
    ]  # fmt: skip


def test_the_check_says_how_what_is_learnt_from_is_split_or_why_it_cannot_be(tmp_path):
    opened = library(tmp_path / "it")
    data, report = read_support_data(opened), check_support_data(opened)
    for kind, rows in (("questions", data.utterances), ("conversations", data.conversations)):
        assert report.splits[kind] == {split: sum(each.split == split for each in rows) for split in SPLITS}
    assert min(report.splits["questions"].values()) > 0
    report = check_support_data(workspace(tmp_path, articles=table(a="one", b="two")))
    assert report.splits == {}
    assert "give at least three articles" in " ".join(report.remarks)


def test_a_table_with_a_broken_line_is_refused_and_a_document_that_cannot_be_read_left_out(tmp_path):
    with pytest.raises(SteerError, match=r"articles.csv is malformed: line 9: id: the same as in an earlier row"):
        read_support_data(workspace(tmp_path, articles=SEVEN + "\n000,again,Text.\n"))
    opened = library(tmp_path / "it")
    (tmp_path / "it/articles/scan.md").write_bytes(b"\xff\xfe caf\xe9")
    assert len(read_support_data(opened).articles) == 6
    assert "not UTF-8" in told(check_support_data(opened))


def test_too_few_articles_are_told(tmp_path):
    with pytest.raises(SteerError, match="give at least three articles"):
        read_support_data(workspace(tmp_path, articles=table(a="one", b="two")))


def test_a_missing_folder_is_told(tmp_path):
    (tmp_path / "steer.yaml").write_text("app: customer_service\nname: library\narticles: help\n")
    with pytest.raises(SteerError, match="help"):
        read_support_data(read_workspace(tmp_path, SupportConfig))


def test_the_template_works_as_it_is():
    template = CustomerService.template
    opened = read_workspace(template, SupportConfig)
    report = check_support_data(opened)
    assert told(report) == ""
    data = read_support_data(opened)
    assert len(data.articles) >= 20
    named = {line.rpartition(",")[2] for line in (template / "messages.csv").read_text().splitlines()[1:]}
    assert named - {OFF_TOPIC} <= {article.intent for article in data.articles}


def test_whole_conversations_are_read_as_well(tmp_path):
    said = [("customer", "hm"), ("agent", "yes?"), ("customer", "fish")]
    turns = [{"role": role, "text": text} for role, text in said]
    talk = {"id": "1", "intent": "003", "opening": "vague", "outcome": "solved", "turns": turns}
    workspace(tmp_path, articles=SEVEN)
    with (tmp_path / "steer.yaml").open("a") as file:
        file.write("\nlogs: logs.jsonl\n")
    opened = read_workspace(tmp_path, SupportConfig)
    (tmp_path / "logs.jsonl").write_text(json.dumps(talk) + "\n" + json.dumps({**talk, "id": "2", "intent": "cows"}))
    assert "neither an intent nor an article" in told(check_support_data(opened))
    (tmp_path / "logs.jsonl").write_text(json.dumps(talk))
    assert [each.customer for each in read_support_data(opened).conversations] == [["hm", "fish"]]


def test_a_workspace_of_articles_alone_starts_from_settings_that_suit_articles_never_asked_about(tmp_path):
    opened = library(tmp_path / "it")
    assert opened.config.preset == "articles"
    assert library(tmp_path / "other", "preset: quick").config.preset == "quick"
    assert workspace(tmp_path, articles=SEVEN, messages="text,intents\ncats?,000\n").config.preset == "quick"

    class Library(CustomerService):
        workspace = opened

    policy = Library(load_settings(CustomerService.presets["articles"])).policy()
    trained = [name for name, parameter in policy.named_parameters() if parameter.requires_grad]
    assert "head.scale" in trained
    assert not [name for name in trained if "encoder" in name or "project" in name]
