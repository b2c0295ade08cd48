"""RSS and Atom feeds of the web: read as they are meant, and harmless however they are meant."""

import socket
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread
from zoneinfo import ZoneInfo

import pytest

from apps.finance_monitor.clock import is_ahead
from apps.finance_monitor.rss_feed import RssFeed
from core.util import fetch as fetching
from core.util.errors import SteerError, UnavailableError
from testing.web_server import Answer, web_server

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def web():
    with web_server() as server:
        yield server


def rss(*items: str, before: str = "") -> str:
    body = "".join(f"<item>{item}</item>" for item in items)
    return f'<?xml version="1.0"?>{before}<rss version="2.0"><channel><title>T</title>{body}</channel></rss>'


def item(title: str, guid: str = "", date: str | None = format_datetime(NOON)) -> str:
    dated = f"<pubDate>{date}</pubDate>" if date else ""
    return f"<title>{title}</title><guid>{guid or title}</guid>{dated}"


def feed(web, answer: Answer | str, **options) -> RssFeed:
    web.answers["/rss"] = Answer(answer) if isinstance(answer, str) else answer
    return RssFeed(web.url("/rss"), **{"allow_private": True, **options})


def test_headlines_come_as_text_the_oldest_first(web):
    later = format_datetime(NOON + timedelta(hours=1))
    followed = feed(web, rss(item("A &amp;amp; B &lt;b&gt;merge&lt;/b&gt;", date=later), item("Profit  falls")))
    assert [(found.headline, found.time) for found in followed.poll()] == [
        ("Profit falls", NOON), ("A & B merge", NOON + timedelta(hours=1)),
    ]  # fmt: skip
    assert followed.rejected == []


def test_atom_is_read_too(web):
    entry = "<entry><title>Profit falls</title><id>urn:x:1</id><updated>2026-03-02T13:00:00+01:00</updated></entry>"
    (found,) = feed(web, f'<feed xmlns="http://www.w3.org/2005/Atom">{entry}</feed>').poll()
    assert (found.key, found.time, found.headline) == ("urn:x:1", NOON, "Profit falls")


def test_items_are_known_by_guid_or_link_and_no_other_publishers_are_taken_for_them(web):
    link = "<title>Linked</title><link>http://example.com/2</link>"
    long = "<title>Long</title><guid>http://example.com/" + "x" * 300 + "</guid>"
    found = {each.headline: each.key for each in feed(web, rss(item("Numbered", guid="7"), link, long)).poll()}
    assert found["Numbered"] == "127.0.0.1 7"
    assert found["Linked"] == "http://example.com/2"
    assert len(found["Long"]) == 64


def test_what_has_not_changed_is_not_sent_again(web):
    followed = feed(web, Answer(rss(item("Profit falls")), headers={"ETag": '"1"', "Last-Modified": "yesterday"}))
    assert len(followed.poll()) == 1
    assert followed.poll() == []
    assert "if-none-match" not in web.requests[0]
    assert (web.requests[1]["if-none-match"], web.requests[1]["if-modified-since"]) == ('"1"', "yesterday")
    web.answers["/rss"] = Answer(rss(item("Profit rises")), headers={"ETag": '"2"'})
    assert len(followed.poll()) == 1


def test_a_date_without_zone_is_refused_until_the_zone_is_named(web):
    naive = rss(item("Naive", date="2026-03-02T12:00:00"), item("Good"), item("Odd", date="the other day"))
    followed = feed(web, naive)
    assert [found.headline for found in followed.poll()] == ["Good"]
    assert followed.rejected[0].startswith("item 1: time: '2026-03-02T12:00:00' names no time zone; say `zone:`")
    assert followed.rejected[1] == "item 3: time: 'the other day' is no date"
    zoned = {found.headline: found.time for found in feed(web, naive, zone=ZoneInfo("America/New_York")).poll()}
    assert zoned == {"Naive": NOON + timedelta(hours=5), "Good": NOON}


def test_news_without_a_date_are_of_now_and_those_of_the_future_are_ahead(web):
    before = datetime.now(UTC)
    undated, ahead = feed(web, rss(item("Undated", date=None), item("Ahead", date="2199-01-01T00:00:00Z"))).poll()
    assert before <= undated.time <= datetime.now(UTC)
    assert is_ahead(ahead.time, datetime.now(UTC))


def test_a_long_headline_is_cut_and_an_empty_item_left_out(web):
    followed = feed(web, rss(item("Profit " * 200), "<guid>1</guid>", "<description>From the text</description>"))
    found = followed.poll()
    assert {len(found[0].headline), found[1].headline} == {500, "From the text"}
    assert [reason[:16] for reason in followed.rejected] == ["item 2: headline"]


def test_a_feed_that_is_cut_off_gives_what_can_be_read(web):
    assert [found.headline for found in feed(web, rss(item("A & B"), item("C"))[:-40]).poll()] == ["A & B", "C"]


@pytest.mark.parametrize("body", ["<html><body>Sign in</body></html>", "", "plain text", "<opml/>", "\0\1\2"])
def test_what_is_no_feed_is_told_so(web, body):
    with pytest.raises(SteerError, match="neither RSS nor Atom"):
        feed(web, body).poll()


def test_entities_neither_multiply_nor_open_files(web, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    many = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    bomb = f'<!DOCTYPE r [<!ENTITY e0 "lol">{many}<!ENTITY file SYSTEM "{secret.as_uri()}">]>'
    found = feed(web, rss(item("Bomb &e9;", guid="1"), item("File &file;", guid="2"), before=bomb)).poll()
    assert [headline.headline for headline in found] == ["Bomb &e9;", "File &file;"]


def test_malformed_markup_that_would_take_minutes_to_repair_is_refused(web):
    with pytest.raises(SteerError, match="too many to be repaired"):
        feed(web, "<rss " + " ".join(f"a{n}='x'" for n in range(50_000)) + ">").poll()


def test_a_huge_answer_and_a_packed_one_are_refused(web):
    with pytest.raises(SteerError, match="more than 5 MB"):
        feed(web, rss(item("x" * fetching.MOST_BYTES))).poll()
    with pytest.raises(SteerError, match="packed"):
        feed(web, Answer(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})).poll()


def test_an_answer_that_comes_in_drops_is_waited_for_no_longer_than_the_limit(monkeypatch):
    monkeypatch.setattr(fetching, "_SECONDS", 0.5)

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                connection.sendall(b"X-More: 1\r\n")
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=drip, args=(listener,))
        thread.start()
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1 took more than 0.5 seconds"):
            RssFeed(f"http://127.0.0.1:{listener.getsockname()[1]}/", allow_private=True).poll()
        thread.join()


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_error_is_named_and_may_pass(web, status):
    with pytest.raises(UnavailableError, match=f"answers {status}"):
        feed(web, Answer(status=status)).poll()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0.0.0.0", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_the_own_network_is_asked_only_if_that_is_meant(web, host):
    web.answers["/rss"] = Answer(rss(item("Secret")))
    with pytest.raises(SteerError, match=r"own network.*allow_private"):
        RssFeed(web.url("/rss", host)).poll()
    assert web.requests == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("64:ff9b::5db8:d822", True),
        ("10.0.0.1", False),
        ("172.31.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("fec0::1", False),
        ("::", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_an_address_is_public_in_whatever_way_it_is_written(address, expected):
    assert fetching.is_public(address) == expected


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.com/", "gopher://x"])
def test_a_redirect_to_a_file_or_another_scheme_is_refused(web, target):
    with pytest.raises(SteerError, match="no address"):
        feed(web, Answer(status=302, headers={"Location": target})).poll()


def test_a_redirect_is_followed_and_checked_like_the_first_address(web, monkeypatch):
    web.answers["/new"] = Answer(rss(item("Moved")))
    followed = feed(web, Answer(status=301, headers={"Location": "/new"}))
    assert len(followed.poll()) == 1
    monkeypatch.setattr(fetching, "is_public", lambda address: address == "127.0.0.1")
    with pytest.raises(SteerError, match=r"127\.0\.0\.2 is an address of the own network"):
        feed(web, Answer(status=302, headers={"Location": web.url("/new", "127.0.0.2")}), allow_private=False).poll()
    assert [request["path"] for request in web.requests] == ["/rss", "/new", "/rss"]


def test_redirects_end(web):
    with pytest.raises(SteerError, match="redirects more than 5 times"):
        feed(web, Answer(status=302, headers={"Location": "/rss"})).poll()
    assert len(web.requests) == 6


def test_the_connection_goes_to_the_address_that_was_checked(web, monkeypatch):
    """A name that is public when it is looked up, and this machine a moment later."""
    monkeypatch.setattr(fetching, "_CONNECT_SECONDS", 0.3)
    asked, real = [], socket.getaddrinfo

    def rebinding(host, port, *args, **options):
        if host != "rebind.example":
            return real(host, port, *args, **options)
        asked.append(host)
        return real("192.0.0.9" if len(asked) == 1 else "127.0.0.1", port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(fetching, "is_public", lambda address: address != "127.0.0.1")
    with pytest.raises(UnavailableError, match=r"rebind\.example (does not answer|took more)"):
        RssFeed(web.url("/rss", "rebind.example")).poll()
    assert (len(asked), web.requests) == (1, [])


def test_the_server_is_told_the_name_that_it_goes_by(web):
    web.answers["/rss"] = Answer(rss(item("Profit falls")))
    assert len(RssFeed(web.url("/rss", "localhost"), allow_private=True).poll()) == 1
    assert web.requests[0]["host"] == f"localhost:{web.server_port}"


def test_a_server_that_is_away_and_a_name_that_nobody_has_may_come_back():
    with web_server() as gone:
        address = gone.url("/rss")
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1 does not answer"):
        RssFeed(address, allow_private=True).poll()
    with pytest.raises(UnavailableError, match="not known"):
        RssFeed("http://nobody.invalid/rss").poll()
