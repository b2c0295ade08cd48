"""A risk desk's own watchlist and feeds: linked, followed, kept, and checked before anything is learnt."""

import json
import shutil
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from apps.finance_monitor.data import example_data
from apps.finance_monitor.engine import NewsEngine
from apps.finance_monitor.feed import Item
from apps.finance_monitor.follow import follow
from apps.finance_monitor.model import NewsModel
from apps.finance_monitor.replay import PinnedModel
from apps.finance_monitor.service import MonitorService
from core.platform.auth.access import Principal
from core.platform.inference.engine import Engine
from core.rl.explore import Explorer
from core.training.loader import load_task
from core.training.run import Run
from core.training.workspace import WorkspaceReport
from core.util.errors import SteerError
from testing.web_server import Answer, web_server
from tests.finance_monitor.news import BAD, NOON

TEMPLATE = Path(load_task("finance_monitor").workspace.folder).parent / "template"
HEAD = "app: finance_monitor\nname: desk\nwatchlist: watchlist.csv\n"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(TEMPLATE, tmp_path / "desk"))


def write(folder: Path, yaml: str = "", watchlist: str = "") -> Path:
    (folder / "steer.yaml").write_text(HEAD + yaml)
    if watchlist:
        (folder / "watchlist.csv").write_text(f"id,name,ticker,aliases\n{watchlist}\n")
    return folder


def opened(folder: Path, model: NewsModel, store) -> MonitorService:
    task = load_task(str(folder))(model.task.settings)
    return MonitorService(store, PinnedModel((NewsModel(task, model.engine), "v0001")), Explorer())


@pytest.fixture
def desk(folder, model, scratch):
    return opened(folder, model, scratch)


def item(headline: str, key: str = "1", company: str = "", time: datetime = NOON) -> Item:
    return Item(key=key, time=time, company=company, headline=headline)


def test_news_are_read_once_for_each_company_that_they_name(desk):
    assert desk.push([item("Fabrikam's lender Wingtip sues Fabrikam")]).new == 2
    assert {line.company for line in desk.items(9)} == {"fabrikam", "wingtip"}
    assert desk.push([item("Fabrikam's lender Wingtip sues Fabrikam")]).new == 0
    assert {line.company: line.volume for line in desk.watchlist()} == {
        "fabrikam": 1, "wingtip": 1, "northwind": 0, "contoso": 0,
    }  # fmt: skip


def test_news_that_name_no_company_are_kept_and_shown_and_alert_nobody(desk):
    desk.push([item(f"Somebody {bad}", str(hour), time=NOON + timedelta(hours=hour)) for hour, bad in enumerate(BAD)])
    assert {line.company for line in desk.items(99)} == {""}
    assert len(desk.items(99, company="")) == len(BAD)
    assert sum(desk.trend(None, None, 7)["negative"]) >= 3
    assert desk.alerts(9) == []
    assert "" not in {line.company for line in desk.watchlist()}


def test_a_surge_of_news_that_were_linked_alerts_under_the_companys_id(desk):
    found = desk.push(
        [item(f"Contoso {bad}", str(hour), time=NOON + timedelta(hours=hour)) for hour, bad in enumerate(BAD)]
    )
    assert [alert.company for alert in found.alerts] == ["contoso"]
    assert REGISTRY.get_sample_value("steer_alerts_total", {"app": desk.app}) >= 1


def test_a_company_goes_by_its_id_whatever_the_feed_calls_it(desk):
    desk.push([item("Profit falls", name, company=name) for name in ("CTSO", "Contoso", "contoso", "Acme")])
    assert sorted(line.company for line in desk.items(9)) == ["Acme", "contoso", "contoso", "contoso"]


def test_the_policy_reads_whom_it_is_asked_about_and_who_else_is_named(desk):
    news = desk.live.current[0].news
    sued = "Fabrikam sues Wingtip; CTSO and Corvane don't, says Acme"
    assert news.text("fabrikam", sued) == "[MASK] sues Wingtip; CTSO and Corvane don't, says Acme"
    assert news.text("contoso", sued) == "Fabrikam sues Wingtip; [MASK] and Corvane don't, says Acme"
    assert news.text("corvane", sued) == "Fabrikam sues Wingtip; CTSO and [MASK] don't, says Acme"
    assert news.text("Acme Inc", sued) == "Fabrikam sues Wingtip; CTSO and Corvane don't, says [MASK]"
    assert news.text("contoso", "Profit falls") == news.text("", "Profit falls") == "[MASK]: Profit falls"
    assert [news.text(each.company, each.headline) for each in news.news] == [
        example_data().text(each.company, each.headline) for each in example_data().news
    ]
    assert news.fingerprint == example_data().fingerprint


def test_one_headline_may_be_bad_news_for_one_company_and_good_for_another(desk):
    told = [
        ("fabrikam", "wingtip", "Fabrikam shares soar on record profit, Wingtip shares plunge after profit warning"),
        ("wingtip", "fabrikam", "Wingtip wins big order, Fabrikam loses its largest customer"),
        ("contoso", "northwind", "Northwind falls 12 % after fraud probe while Contoso rises 9 % on strong results"),
        (
            "northwind",
            "contoso",
            "Northwind beats forecasts and raises outlook; Contoso misses and cuts 900 jobs",
        ),
    ]
    desk.push([item(headline, headline) for *_, headline in told])
    assert {(line.company, line.headline) for line in desk.items(9)} == {
        (company, headline) for *companies, headline in told for company in companies
    }
    of_good = desk.read([(company, headline) for company, _, headline in told])
    of_bad = desk.read([(company, headline) for _, company, headline in told])
    for good, bad, sentiment in ((of_good, of_bad, "positive"), (of_bad, of_good, "negative")):
        more = [a.probabilities[sentiment] - b.probabilities[sentiment] for a, b in zip(good, bad, strict=True)]
        assert sum(more) / len(more) > 0.05


def test_all_feeds_are_followed_and_tell_how_they_fare(folder, model, scratch):
    def eventually(holds) -> None:
        until = time.monotonic() + 60
        while not holds() and time.monotonic() < until:
            time.sleep(0.05)
        assert holds()

    stop = threading.Event()
    with web_server() as web:
        write(
            folder,
            f"feeds:\n- {{name: press, source: '{web.url('/rss')}', every: 0.5, allow_private: true}}\n"
            "- {name: sample, source: news.jsonl}\n"
            f"- {{name: closed, source: '{web.url('/private')}', every: 0.5}}\n",
        )
        desk = opened(folder, model, scratch)
        servers = [desk, opened(folder, model, scratch)]
        threads = [threading.Thread(target=follow, args=(server, stop)) for server in servers]
        for thread in threads:
            thread.start()
        eventually(lambda: desk.feeds.get("press") and desk.feeds["press"].error)
        assert "404" in desk.feeds["press"].error
        assert desk.feeds["press"].last_success is None
        entry = "<item><title>Northwind recalls toys</title><guid>1</guid></item>"
        web.answers["/rss"] = Answer(f"<rss version='2.0'><channel>{entry}</channel></rss>")
        eventually(lambda: all(server.feeds["press"].last_success for server in servers))
        eventually(lambda: desk.feeds["sample"].last_success)
        stop.set()
        for thread in threads:
            thread.join(timeout=30)
            assert not thread.is_alive()
    samples = [json.loads(line) for line in (folder / "news.jsonl").read_text().splitlines()]
    assert len(desk.items(99)) == len(samples) + 1 + 1  # one sample names two companies
    assert (desk.feeds["press"].error, "own network" in desk.feeds["closed"].error) == ("", True)
    assert desk.counts()["failing_feeds"] == 1
    assert desk.feeds["press"].next_poll > desk.feeds["press"].last_success
    assert all("/private" not in request["path"] for request in web.requests)


def test_a_feed_that_fails_is_asked_ever_more_rarely(folder, model, scratch):
    stop = threading.Event()
    with web_server() as web:
        write(folder, f"feeds:\n- {{source: '{web.url('/rss')}', every: 0.5, allow_private: true}}\n")
        thread = threading.Thread(target=follow, args=(opened(folder, model, scratch), stop))
        thread.start()
        time.sleep(4)
        stop.set()
        thread.join(timeout=30)
    assert 1 <= len(web.requests) <= 4  # after 0, 0.5, 1.5 and 3.5 seconds


def test_own_headlines_without_splits_are_parted_by_time(folder, model):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {"id": str(n), "time": (start + timedelta(hours=n)).isoformat(), "company": "contoso", "headline": f"News {n}",
         "topic": "legal", "sentiment": "neutral"}
        for n in range(10)
    ]  # fmt: skip
    write(folder, "news: own.jsonl\n")
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, reversed(rows))))
    data = load_task(str(folder))(model.task.settings).news
    assert [item.split for item in data.news] == ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    assert data.fingerprint != example_data().fingerprint
    write(folder, "headlines: own.jsonl\n")
    taught = load_task(str(folder))(model.task.settings).news
    assert taught.news == example_data().news
    assert [taught.headlines.count(item) for item in example_data().headlines] == [1] * len(example_data().headlines)
    assert Counter(item.split for item in taught.headlines[-10:]) == {"train": 6, "validation": 2, "test": 2}
    write(folder, "news: own.jsonl\n")
    rows[1]["split"] = "train"
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(SteerError, match="'0' names no split"):
        load_task(str(folder))(model.task.settings)


def test_the_template_has_nothing_to_complain_of(folder):
    report = load_task(str(folder)).check()
    assert [(table.taken, table.rejected) for table in report.tables] == [(4, ()), (6, ())]
    assert "Contoso recalls its best-selling drug" in report.texts
    assert [remark.partition(":")[0] for remark in report.remarks] == ["watchlist"]
    assert [lack.partition(":")[0] for lack in report.missing] == ["news"]


def test_a_check_tells_what_would_link_wrongly_and_which_feed_is_silent(folder):
    write(
        folder,
        "feeds:\n- {source: 'http://127.0.0.1/rss'}\n- {source: other.jsonl}\n- {source: gone.jsonl}\n",
        "gap,Gap Inc,GPS,Twin\ntarget,Target Corp,,Twin\nplain,Plain Vanilla Ltd,,\nall,Allstate,ALL,",
    )
    (folder / "other.jsonl").write_text(
        '{"time": "2026-03-01T12:00:00Z", "headline": "Nobody is named"}\n{"time": "noon", "headline": "x"}\nno\n'
    )
    report = load_task(str(folder)).check()
    _, private, other, gone = report.tables
    assert "own network" in private.rejected[0].reason
    assert (other.rows, other.taken) == (3, 1)
    assert {reason.first for reason in other.rejected} == {("line 2",), ("line 3",)}
    assert "cannot read the feed gone.jsonl" in gone.rejected[0].reason
    said = "\n".join(report.remarks)
    assert "'Twin' links to gap, target at once" in said
    assert "GPS, ALL may be words" in said
    assert "Gap, Target may begin a headline" in said
    assert "plain are found by their names alone" in said
    assert "feed other.jsonl: none of its 1 headlines names a company" in said


def labelled(folder: Path, **first: str) -> WorkspaceReport:
    """What the check says of ten headlines of a desk's own, of which the first may have more columns."""
    rows = [
        {"id": f"n{n}", "time": f"2026-01-{n + 1:02}T08:00:00Z", "company": "contoso", "headline": f"Umsatz steigt {n}",
         "topic": "legal", "sentiment": "neutral"}
        for n in range(10)
    ]  # fmt: skip
    rows[0] |= first
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return load_task(str(write(folder, "news: own.jsonl\n"))).check()


def test_a_check_reads_labelled_headlines_and_says_how_they_are_split(folder):
    report = labelled(folder)
    assert "Umsatz steigt 3" in report.texts
    assert report.splits == {"news": {"train": 6, "validation": 2, "test": 2}}
    assert any("POST /v1/desk/items" in lack for lack in report.missing)
    report = labelled(folder, split="train")
    assert report.splits == {}
    assert "'n1' names no split" in " ".join(report.remarks)


TOPICS = {
    "supply": "factories, production, suppliers, outages and accidents",
    "courts": "lawsuits, courts, regulators, investigations and fines",
}


def test_own_topics_are_told_by_the_nearest_description_and_the_sentiment_stays_the_policys(
    folder, model, scratch, runs
):
    write(folder, f"topics: {json.dumps(TOPICS)}\n")
    task = load_task(str(folder))(model.task.settings)
    engine = Engine.local(NewsEngine(task, Run(runs / "finance_monitor")))
    desk = MonitorService(scratch, PinnedModel((NewsModel(task, engine), "v0001")), Explorer())
    headlines = ["Fabrikam sued by a regulator over emissions", "Fire halts production at Fabrikam's factory"]
    labels = desk.read([("fabrikam", headline) for headline in headlines])
    assert [label.topic for label in labels] == ["courts", "supply"]
    assert all(0.5 < label.topic_probability <= 1 for label in labels)
    plain = model.read([("Fabrikam Motors plc", headline) for headline in headlines])
    assert [label.sentiment for label in labels] == [label.sentiment for label in plain]
    desk.push([item(headline, headline) for headline in headlines])
    assert [line.headline for line in desk.items(9, topic="courts")] == headlines[:1]
    desk.correct(Principal("ann", "agent"), desk.items(1)[0].id, "courts", "negative")
    with pytest.raises(SteerError, match="no topic 'legal'; there are supply, courts"):
        desk.items(9, topic="legal")


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("topics: {supply: factories}\n", "one topic tells nothing"),
        ("topics: {supply: factories, courts: ''}\n", "'courts' must be a word"),
        ("feeds:\n- {source: 'ftp://x/rss'}\n", "ftp"),
        ("feeds:\n- {source: a.jsonl, every: 0}\n", "feeds.0.every: .*greater than or equal to 0.5 .got 0"),
        ("feeds:\n- {source: a.jsonl, zone: Mars/Base}\n", "no time zone 'Mars/Base'; write one such as"),
        ("feeds:\n- {source: a.jsonl}\n- {source: b/a.jsonl}\n", "two feeds are called 'a.jsonl'"),
        ("feed: a.jsonl\n", "feed: there is no such key"),
    ],
)
def test_what_the_steer_yaml_says_wrongly_is_named_with_its_remedy(folder, yaml, message):
    with pytest.raises(SteerError, match=message):
        load_task(str(write(folder, yaml)))
