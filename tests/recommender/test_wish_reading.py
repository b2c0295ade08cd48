"""What is read in a sentence, over a catalogue of games that no list of words knows of."""

import numpy as np
import pytest

from apps.recommender.config import Words
from apps.recommender.data import Item
from apps.recommender.texts import asked, shop_texts
from apps.recommender.wishes.reader import WishReader
from apps.recommender.wishes.tag_names import MULTILINGUAL_ENCODER, TagNames
from apps.recommender.wishes.titles import Titles
from apps.recommender.wishes.wish import NO_WISH, Condition, Shelf, Wish
from core.models.encoder import TextEncoder

WORDS = Words(item="game", items="games", item_zh="桌游", tags_zh={"economy": "经济", "party": "聚会"})
GAMES = (
    Item(0, "a", "The Salt Road", "Caravans cross a desert", ("economy", "2-5 players"), 1996, 59.9),
    Item(1, "b", "Night Market", "Stalls open at dusk", ("economy", "party"), 2009, 24.0),
    Item(2, "c", "Nothing but Noise", "Shout and laugh", ("party",), 2014, 12.0),
    Item(3, "d", "Big", "A tower of wood", ("children", "dexterity"), 2020, 19.5),
    Item(4, "e", "1984", "Hide from the state", ("co-operative",), None, None),
)
NONE = np.zeros(0, dtype=np.int64)


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf(GAMES, lambda words: NONE)


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


def reader_of(shelf: Shelf, encoder: TextEncoder, foreign: TagNames | None = None) -> WishReader:
    own = TagNames(encoder, shelf.tags, ("game", "games"))
    return WishReader(shelf, Titles(GAMES, np.ones(len(GAMES))), WORDS, "en", own, lambda: foreign)


@pytest.fixture(scope="module")
def reader(shelf, encoder) -> WishReader:
    return reader_of(shelf, encoder)


def english(wish: Wish) -> str:
    texts = shop_texts(WORDS, "games")
    return asked(wish.conditions, lambda key, **values: texts.say(key, None, **values))


@pytest.mark.parametrize(
    ("words", "heard"),
    [
        ("no party games please", "not party"),
        ("economy but no party", "economy, not party"),
        ("anything but economy or party games", "not economy, not party"),
        ("party games from the 2010s", "2010s, party"),
        ("between 1990 and 2009", "1990 to 2009"),
        ("nothing older than 2010", "not until 2009"),
        ("no party games from the 90s", "1990s, not party"),
        ("early 2000s", "2000 to 2004"),
        ("party or children's games", "party or children"),
        ("economy under 30 euros", "30.00 or less, economy"),
        ("not too expensive", "19.50 or less"),
        ("co operative", "co-operative"),
        ("for kids", "children"),
        ("keine Party, vor 2000", "not party, until 1999"),
        ("economy d'avant 2000", "until 1999, economy"),
        ("años noventa", "1990s"),
        ("2010年以后的聚会桌游", "since 2011, party"),
        ("经济以外的", "not economy"),
        ("not only party", "party"),
        ("party instead of economy", "party, not economy"),
        ("I dont want party games", "not party"),
        ("economy de 1996 ou plus récents", "since 1996, economy"),
        ("econmy, not for chidlren", "economy, not children"),
    ],
)
def test_conditions_are_read_in_five_languages(reader, words, heard):
    assert english(reader.read(words)) == heard


def test_a_word_that_items_say_is_no_misspelt_tag(encoder):
    saying = Shelf((*GAMES, Item(5, "f", "Econmy Class", "Seats on a plane", ("party",))), lambda words: NONE)
    reader = reader_of(saying, encoder)
    assert (reader._misspelt("econoomy"), reader._misspelt("econmy")) == ("economy", None)


def test_named_items_bound_years_and_prices(reader):
    wish = reader.read("like Salt Road but newer")
    assert wish == Wish((Condition("years", low=1997),), like=(0,))
    assert reader.read("cheaper than Night Market") == Wish((Condition("prices", high=23.99),))


@pytest.mark.parametrize("title", ["Nothing but Noise", "1984"])
def test_a_title_is_no_query(reader, title):
    assert reader.read(title) == Wish(rest=title)


def test_a_word_that_is_a_title_too_names_no_item(reader):
    assert reader.read("I like big towers").like == ()


def test_a_plain_wish_stays_as_it_was_typed(reader):
    assert reader.read("Caravans in a Desert").rest == "Caravans in a Desert"
    assert reader.read("please") == NO_WISH


def test_what_nothing_meets_is_given_up_and_named(reader, shelf):
    wish = reader.read("party games from the 60s, no economy")
    fitting = shelf.fitting(wish, NONE)
    assert fitting.unmet == (Condition("years", low=1960, high=1969),)
    assert [row for row in range(5) if row not in fitting.closed] == [2]


def test_other_languages_mean_tags_where_their_encoder_is_there(shelf, encoder):
    foreign = TagNames(TextEncoder(MULTILINGUAL_ENCODER, max_length=32), shelf.tags, ("game", "games"))
    words = "un jeu pour les enfants, sans économie"
    assert english(reader_of(shelf, encoder, foreign).read(words)) == "children, not economy"
    assert reader_of(shelf, encoder).read(words).is_partly_read
