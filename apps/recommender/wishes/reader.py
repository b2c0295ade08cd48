"""Reads a visitor's sentence as a query over the catalogue: no list of kinds or titles stands here.

What is recognised is taken out piece by piece: names of items first, as they may hold any word; then what is negated
is told apart; then years, prices and tags, each wanted or unwanted. What is left in the language of the catalogue is
for the text encoder, and what is left in another one is asked of a multilingual encoder, word by word: which tag does
it mean?
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import pairwise

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from apps.recommender.config import Words
from apps.recommender.wishes import cues
from apps.recommender.wishes.numbers import Found, price_in, years_in
from apps.recommender.wishes.spelling import WORD, folded, is_han, plain, singular
from apps.recommender.wishes.tag_names import TagNames
from apps.recommender.wishes.titles import Titles
from apps.recommender.wishes.wish import Condition, Kind, Shelf, Wish
from core.data.languages import Language, language_of

_NAME = chr(0xE000)  # stands for the item that a sentence names
_TAKEN = chr(0xE001)  # stands for what has been understood
_FILLERS = ENGLISH_STOP_WORDS | cues.FILLERS
_CHEAP_SHARE = 1 / 3
# Two neighbouring letters of six that changed places make five sixths alike.
_SHORTEST_SLIP, _SLIP = 5, 0.83


@dataclass
class _Reading:
    """What has been understood of a sentence so far.

    Attributes:
        language: Language that it is in.
        conditions: Demands on the items, wanted and unwanted.
        like: Rows of the items that they shall be like.
        compared: Row of the item than which they shall be newer, older or cheaper.
        rest: Parts that nothing was made of but a text to embed.
        is_partly_read: Whether words of another language meant nothing.
    """

    language: Language
    conditions: list[Condition] = field(default_factory=list)
    like: list[int] = field(default_factory=list)
    compared: int | None = None
    rest: list[str] = field(default_factory=list)
    is_partly_read: bool = False


class WishReader:
    """Reads wishes over one catalogue.

    Args:
        shelf: The catalogue.
        titles: Names of its items.
        words: Names that the shop has for an item and, in Chinese, for its tags.
        language: Language of the catalogue's texts: en, zh, multilingual.
        own: Tags as the catalogue's own encoder knows them.
        foreign: Gives the tags as a multilingual encoder knows them; None while there is none.
    """

    def __init__(
        self,
        shelf: Shelf,
        titles: Titles,
        words: Words,
        language: str,
        own: TagNames,
        foreign: Callable[[], TagNames | None],
    ) -> None:
        self._shelf, self._titles, self._language = shelf, titles, language
        self._own, self._foreign = own, foreign
        self._nouns = {singular(plain(noun)) for noun in (words.item, words.items, words.item_zh)}
        names = [(plain(tag), tag) for tag in shelf.tags] + [(plain(zh), tag) for tag, zh in words.tags_zh.items()]
        known = [(name, tag) for name, tag in names if name and tag in shelf.tags]
        self._tags = sorted(known, key=lambda each: -len(each[0]))
        self._tag_of = {_key(name): tag for name, tag in reversed(self._tags)}
        self._longest = max((name.count(" ") + 1 for name, _ in self._tags), default=1)
        self._first_year = int(np.nanmin(shelf.years)) if np.isfinite(shelf.years).any() else 0
        prices = shelf.prices[np.isfinite(shelf.prices)]
        self._cheap = float(np.quantile(prices, _CHEAP_SHARE)) if len(prices) else None

    def read(self, words: str) -> Wish:
        """What a sentence asks for; a text that is a title, as it stands, asks for what is near to it."""
        if self._titles.whole(words) is not None and _key(plain(words)) not in self._tag_of:
            return Wish(rest=words)
        reading = _Reading(language_of(words))
        text = self._without_names(folded(words), reading)
        for part, is_unwanted in _clauses(text, reading.language):
            self._read_part(part, reading, is_unwanted=is_unwanted)
        if _NAME not in text and not reading.conditions and reading.rest:
            rest = words if not reading.is_partly_read else " ".join(reading.rest)  # nothing was taken out of it
        else:
            rest = " ".join(reading.rest)
        return Wish(_merged(reading.conditions), tuple(reading.like), rest, reading.is_partly_read)

    def _without_names(self, text: str, reading: _Reading) -> str:
        """The text with a sign in the place of each item that it names."""
        for pattern in (cues.THAN, cues.LIKE):
            for cue in reversed(list(pattern.finditer(text))):
                end = cue.end()
                begin: int | None = end
                while begin is not None and (named := self._named(text, begin, pattern)) is not None:
                    reading.compared, end = named
                    reading.like += [reading.compared] if pattern is cues.LIKE else []
                    another = cues.ANOTHER_NAME.match(text, end) if pattern is cues.LIKE else None
                    begin = another.end() if another else None
                if end > cue.end():
                    text = f"{text[: cue.end()]} {_NAME} {text[end:]}"
        return text

    def _named(self, text: str, start: int, cue: re.Pattern[str]) -> tuple[int, int] | None:
        """Row of the item that the text names behind a cue, and where its name ends."""
        named = self._titles.at(text, start)
        if named is None:
            return None
        name = plain(text[start : named[1]])
        # "older than 2010" means the year, whatever an item may be called
        is_other = _key(name) in self._tag_of or (cue is cues.THAN and name.isdigit())
        return None if is_other else named

    def _read_part(self, part: str, reading: _Reading, *, is_unwanted: bool) -> None:
        part = self._without_comparisons(part, reading, is_unwanted=is_unwanted)
        part = self._without_limits(part, reading, is_unwanted=is_unwanted)
        without_tags, groups = self._without_tags(part, reading)
        left = self._content(without_tags)
        foreign = [word for word in left if self._is_foreign(word, reading)]
        meant = self._meant(foreign, left, reading, is_unwanted=is_unwanted)
        groups += [(tag,) for tag in meant.values() if tag]
        if cues.ALTERNATIVE.search(part) and any(meant.values()):
            groups = [tuple(dict.fromkeys(tag for group in groups for tag in group))]
        left = [word for word in left if meant.get(word) is None]
        unread = [word for word in left if word in foreign and not len(self._shelf.rows_saying(word))]
        reading.is_partly_read |= bool(unread)
        if is_unwanted:
            reading.conditions += [Condition("tags", (tag,), is_unwanted=True) for group in groups for tag in group]
            reading.conditions += [Condition("words", (word,), is_unwanted=True) for word in left if word not in unread]
            return
        reading.conditions += [Condition("tags", group) for group in groups]
        if len(unread) < len(left):
            # tags say more of the items that they do not part from the others
            reading.rest.append(" ".join(left) if unread else part.replace(_TAKEN, " ").strip())

    def _without_comparisons(self, part: str, reading: _Reading, *, is_unwanted: bool) -> str:
        """A part without `newer` and the like, where the sentence names the item that is meant."""
        part = cues.LIKE.sub(" ", part) if _NAME in part else part
        for name, pattern in cues.COMPARED.items():
            if reading.compared is not None and pattern.search(part):
                condition = self._compared(name, reading.compared)
                reading.conditions += [replace(condition, is_unwanted=is_unwanted)] if condition else []
                part = pattern.sub(" ", part)
        return re.sub(rf"比?\s*{_NAME}", " ", part)

    def _compared(self, name: str, row: int) -> Condition | None:
        item = self._shelf.items[row]
        if name == "cheaper":
            return None if item.price is None else Condition("prices", high=round(item.price - 0.01, 2))
        if item.year is None:
            return None
        return Condition("years", low=item.year + 1) if name == "newer" else Condition("years", high=item.year - 1)

    def _without_limits(self, part: str, reading: _Reading, *, is_unwanted: bool) -> str:
        """A part without the years and prices in it."""
        if self._first_year:
            for found in reversed(list(years_in(part, self._first_year))):
                part = self._take("years", found, part, reading, is_unwanted=is_unwanted)
        if self._cheap is not None and (price := price_in(part, self._cheap, is_unwanted=is_unwanted)):
            part = self._take("prices", price, part, reading, is_unwanted=is_unwanted)
        return part

    def _take(self, kind: Kind, found: Found, part: str, reading: _Reading, *, is_unwanted: bool) -> str:
        """A part without limits that were found in it."""
        # "no horror from the eighties" wishes for the eighties; "nothing from the eighties" does not.
        is_other = is_unwanted and not found.is_opposite and not self._content(part[: found.start])
        reading.conditions.append(Condition(kind, (), found.low, found.high, is_unwanted=is_other))
        return f"{part[: found.start]} {part[found.end :]}"

    def _without_tags(self, part: str, reading: _Reading) -> tuple[str, list[tuple[str, ...]]]:
        """A part without the tags that it names, and these, joined where one or the other is meant."""
        found = sorted(self._named_tags(part))
        groups: list[tuple[str, ...]] = []
        end = 0
        for start, stop, tag in found:
            is_other = groups and cues.ALTERNATIVE.fullmatch(part[end:start])
            groups[-1:] = [(*groups[-1], tag)] if is_other else [*groups[-1:], (tag,)]
            end = stop
        for start, stop, _ in reversed(found):
            part = f"{part[:start]} {_TAKEN} {part[stop:]}"
        return part, groups

    def _named_tags(self, part: str) -> Iterator[tuple[int, int, str]]:
        """Where a part names tags, and which; the longest names first, none within another."""
        taken = np.zeros(len(part), dtype=bool)
        words = list(WORD.finditer(part))
        for count in range(self._longest, 0, -1):
            for at in range(len(words) - count + 1):
                start, end = words[at].start(), words[at + count - 1].end()
                said = part[start:end]
                tag = self._tag_of.get(_key(plain(said))) or self._compound(said) or self._misspelt(said)
                if tag and not taken[start:end].any():
                    taken[start:end] = True
                    yield start, end, tag
        for name, tag in self._tags:
            for hit in re.finditer(re.escape(name), part) if is_han(name) else ():
                if not taken[hit.start() : hit.end()].any():
                    taken[hit.start() : hit.end()] = True
                    yield hit.start(), hit.end(), tag

    def _compound(self, word: str) -> str | None:
        """The tag that a word begins with which ends in what the shop calls an item: Horrorfilme."""
        stem = self._without_noun(word)
        return self._tag_of.get(_key(stem)) if stem != word else None

    def _misspelt(self, word: str) -> str | None:
        """The tag that a word is one slip of the keyboard away from, where no item says that word: comdey."""
        if len(word) < _SHORTEST_SLIP or " " in word or len(self._shelf.rows_saying(word)):
            return None
        near = get_close_matches(_key(plain(word)), self._tag_of, n=1, cutoff=_SLIP)
        return self._tag_of[near[0]] if near else None

    def _without_noun(self, word: str) -> str:
        for noun in self._nouns:
            first, found, ending = word.rpartition(noun)
            if found and first and len(ending) <= 2:
                return first
        return word

    def _content(self, part: str) -> list[str]:
        """The words of a part that say something of an item."""
        words = []
        for word in WORD.findall(part):
            if is_han(word):
                said = cues.HAN_FILLERS.sub(" ", re.sub("|".join(n for n in self._nouns if is_han(n)), " ", word))
                words += [each for each in said.split() if len(each) > 1]
            elif len(word) > 1 and word not in _FILLERS and not self._is_noun(word) and not word.isdigit():
                words.append(word)
        return words

    def _is_noun(self, word: str) -> bool:
        return any(word.startswith(noun) and len(word) <= len(noun) + 2 for noun in self._nouns)

    def _is_foreign(self, word: str, reading: _Reading) -> bool:
        if self._language == "multilingual":
            return False
        return is_han(word) != (self._language == "zh") or (not is_han(word) and reading.language != self._language)

    def _meant(
        self, foreign: Sequence[str], left: Sequence[str], reading: _Reading, *, is_unwanted: bool
    ) -> dict[str, str | None]:
        """The tag that each word means which names none; an empty text where it only means an item."""
        own = [word for word in left if word not in foreign]
        meant = _by_words(own, lambda words: self._own.means(words, is_unwanted=is_unwanted))
        others = self._foreign() if foreign else None
        reading.is_partly_read |= bool(foreign) and others is None
        if others is None:
            return meant

        def means(words: Sequence[str]) -> list[str | None]:
            stems = [self._without_noun(word) for word in words]
            clear = others.means(stems, is_unwanted=is_unwanted)
            agreed = zip(clear, others.nearest(stems), self._own.nearest(stems), strict=True)
            # What both encoders guess is no guess: they were not made of the same texts.
            return [guess if tag is None and guess == other else tag for tag, guess, other in agreed]

        return {**meant, **_by_words(foreign, means)}


def _by_words(words: Sequence[str], means: Callable[[Sequence[str]], list[str | None]]) -> dict[str, str | None]:
    """What words mean, and neighbours of which one alone means nothing."""
    meant = dict(zip(words, means(words), strict=True))
    pairs = [pair for pair in pairwise(words) if None in (meant[pair[0]], meant[pair[1]])]
    for pair, tag in zip(pairs, means([" ".join(pair) for pair in pairs]), strict=True):
        apart = {meant[word] for word in pair} - {None}
        if tag and apart <= {tag}:
            meant |= {**dict.fromkeys(pair, ""), " ".join(pair): tag}
    return meant


def _key(name: str) -> str:
    """A name by which Sci-Fi, sci fi and scifi are the same, and so are comedy and comedies."""
    return "".join(singular(word) for word in name.split())


def _clauses(text: str, language: Language) -> Iterator[tuple[str, bool]]:
    """Parts of a text, each with whether it is negated."""
    text = cues.NO_NEGATION.sub(" ", text)
    own = cues.OWN_NEGATIONS.get(language)
    text = cues.NEGATION.sub("¬", own.sub("¬", text) if own else text)
    text = cues.EXCEPT_BEFORE.sub(r"¬\1|", text)
    text = cues.CONTRAST.sub("|", text)
    was_unwanted = False
    for clause in text.split("|"):
        is_first = True
        for piece in cues.CLAUSE_END.split(clause):
            goes_on = was_unwanted and not is_first and cues.ALTERNATIVE.search(piece) is not None
            for at, part in enumerate(piece.split("¬")):
                is_unwanted = at > 0 or goes_on
                if part.strip():
                    yield part, is_unwanted
                    was_unwanted = is_unwanted
            is_first = False


def _merged(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """Each condition once; what is wanted and unwanted at once is unwanted."""
    unwanted = {name for each in conditions if each.is_unwanted for name in each.names}
    kept = [each for each in conditions if each.is_unwanted or not unwanted.intersection(each.names)]
    return tuple(dict.fromkeys(kept))
