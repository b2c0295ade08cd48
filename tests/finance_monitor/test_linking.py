"""Headlines are linked to the companies that they name, and to no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.finance_monitor.data import Company, ordinary_words
from apps.finance_monitor.linking import Linker, short_forms

WATCHLIST = [
    Company(id="apple", name="Apple Inc.", ticker="AAPL"),
    Company(id="amazon", name="Amazon.com, Inc.", ticker="AMZN", aliases=["Amazon"]),
    Company(id="att", name="AT&T Inc.", ticker="T"),
    Company(id="allstate", name="The Allstate Corporation", ticker="ALL"),
    Company(id="bank", name="Bank of America Corporation", ticker="BAC"),
    Company(id="america", name="America Movil, S.A.", aliases=["America"]),
    Company(id="berkshire", name="Berkshire Hathaway Inc.", ticker="BRK.B"),
    Company(id="goldman", name="The Goldman Sachs Group, Inc.", ticker="GS"),
    Company(id="man", name="Man Group plc", ticker="EMG"),
    Company(id="gap", name="GAP", ticker="GPS"),
    Company(id="ebay", name="eBay", ticker="EBAY"),
    Company(id="volkswagen", name="Volkswagen AG", ticker="VOW3.DE", aliases=["VW"]),
    Company(id="tencent", name="腾讯控股", ticker="0700.HK", aliases=["腾讯", "Tencent"]),
    Company(id="nasdaq", name="Nasdaq, Inc.", ticker="NDAQ"),
    Company(id="airbus", name="Airbus SE", ticker="AIR.PA"),
    Company(id="target", name="Target Corp", ticker="TGT", aliases=["bullseye stores"]),
]


@pytest.fixture(scope="module")
def linker():
    return Linker(WATCHLIST, ordinary_words())


@pytest.mark.parametrize(
    ("headline", "companies"),
    [
        ("Apple cuts its outlook", ["apple"]),
        ("APPLE CUTS ITS OUTLOOK", ["apple"]),
        ("Why Apple's suppliers worry", ["apple"]),
        ("Why Apple’s suppliers worry", ["apple"]),
        ("Apple-backed startup folds", ["apple"]),
        ("An apple a day", []),
        ("Pineapple and Applesauce prices rise", []),
        ("Amazon.com to hire thousands", ["amazon"]),
        ("Apple.com is down", ["apple"]),
        ("Read it on Apple.example", []),
        ("AT&T and Apple meet in court", ["att", "apple"]),
        ("AT & T settles", ["att"]),
        ("Apple sues, and Apple is sued", ["apple"]),
        ("Bank of America lifts its forecast", ["bank"]),
        ("Sales grow in America", ["america"]),
        ("Goldman Sachs cuts bonuses", ["goldman"]),
        ("Allstate raises premiums", ["allstate"]),
        ("A Man bites a dog", []),
        ("Man Group launches a fund", ["man"]),
        ("The Gap between rich and poor", []),
        ("GAP closes stores", ["gap"]),
        ("Ebay fined", ["ebay"]),
        ("Bullseye Stores expand", ["target"]),
        ("SAIC-VW builds a plant", ["volkswagen"]),
        ("La justice d'Airbus et l’Airbus A380", ["airbus"]),
        ("O'Apple opens a pub", []),
        ("腾讯股价下跌", ["tencent"]),
        ("分析师看好Apple和腾讯控股", ["apple", "tencent"]),
        ("$T falls after results", ["att"]),
        ("long $aapl, short $BRK-B.", ["apple", "berkshire"]),
        ("Costs rise by $5 billion", []),
        ("ALL eyes on the Fed, and T bills too", []),
        ("Insurer (NYSE: ALL) raises its forecast", ["allstate"]),
        ("Shares of the phone company (T.N) fall", ["att"]),
        ("Shares (HKG: 0700.HK) and 0700.HK fall", ["tencent"]),
        ("AAPL falls", ["apple"]),
        ("Apple (Nasdaq: AAPL) falls", ["apple"]),
        ("Nasdaq buys an exchange", ["nasdaq"]),
        ("Lockheed to launch GPS satellites", []),
    ],
)
def test_names_aliases_and_tickers_are_found_as_whole_words(linker, headline, companies):
    assert linker.companies(headline) == companies


@pytest.mark.parametrize(
    ("headline", "company", "named"),
    [
        ("Apple sues, and Apple's rival Amazon.com is sued", "apple", ["Apple", "Apple"]),
        ("Apple sues, and Apple's rival Amazon.com is sued", "amazon", ["Amazon.com"]),
        ("Apple Inc (Nasdaq: AAPL) and $AAPL", "apple", ["Apple", "Nasdaq: AAPL", "$AAPL"]),
        ("Bank of America lifts its forecast", "america", []),
        ("An apple a day", "apple", []),
    ],
)
def test_a_company_is_found_everywhere_that_a_headline_names_it(linker, headline, company, named):
    assert [headline[start:end] for start, end in linker.mentions(headline, company)] == named


@given(before=st.text("aeEnsé5_", max_size=3), after=st.text("aeEnsé5_", max_size=3))
def test_a_name_inside_another_word_never_links(before, after):
    linker = Linker(WATCHLIST, ordinary_words())
    for name, company in (("Apple", "apple"), ("VW", "volkswagen"), ("AAPL", "apple"), ("Goldman Sachs", "goldman")):
        assert (company in linker.companies(f"Why {before}{name}{after} fell")) == (before == after == "")


@given(st.lists(st.sampled_from(["Apple", "$T", "(NYSE: ALL)", "&", "'", "-", ".", "腾", " ", "x", "Bank of", "\0"])))
def test_whatever_the_text_each_company_is_found_once(parts):
    found = Linker(WATCHLIST).companies("".join(parts))
    assert len(found) == len(set(found))
    assert set(found) <= {company.id for company in WATCHLIST}


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Apple Inc.", "Apple"),
        ("BP p.l.c.", "BP"),
        ("Stellantis N.V.", "Stellantis"),
        ("JPMorgan Chase & Co.", "JPMorgan Chase"),
        ("Merck KGaA", "Merck"),
        ("The Walt Disney Company", "Walt Disney"),
        ("Alibaba Group Holding Ltd", "Alibaba Group Holding"),
        ("Inc", "Inc"),
    ],
)
def test_headlines_need_no_legal_form(name, short):
    assert short in short_forms(name)
    assert "" not in short_forms(name)


def test_a_feed_may_call_a_company_by_any_of_its_names(linker):
    assert [linker.id_of(name) for name in ("apple", "Apple Inc.", "aapl", "amazon", "Acme")] == [
        "apple", "apple", "apple", "amazon", "Acme",
    ]  # fmt: skip


def test_a_name_that_two_companies_have_links_to_both_and_is_told():
    linker = Linker([Company(id="a", name="Alpha", aliases=["Twin"]), Company(id="b", name="Beta", aliases=["Twin"])])
    assert linker.shared == {"Twin": ("a", "b")}
    assert linker.companies("Twin fails") == ["a", "b"]
