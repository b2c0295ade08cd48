"""Finds the companies of a watchlist in headlines, by their names, aliases and tickers.

Whole words count, and the longest name wins. A name that is written with a capital is found with a capital only, an
alias in small letters in any case. Legal forms ("Inc", "AG") may be missing. A ticker is found as `$T`, beside an
exchange ("NYSE: T") and in Reuters' notation ("(T.N)"); in capitals alone only if it is neither short nor a word.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

# Scripts that put no spaces between words: each character is a word of its own.
_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s]")
_LEGAL_FORM = re.compile(
    r"[\s,]+(?:&\s*co|incorporated|inc|corporation|corp|company|co|limited|ltd|llc|llp|lp|plc|p\.l\.c|ag|se|sa|s\.a|nv|n\.v"
    r"|spa|s\.p\.a|ab|asa|a/s|oyj|gmbh|kgaa|kk|bhd|pty|pte)\.?$",
    re.IGNORECASE,
)
# What is dropped in headlines only where enough of the name is left: "Goldman Sachs Group", and never "Man Group".
_GROUP = re.compile(r"(?<=\S\s)(\S.*?)[\s,]+(?:group|holdings?)$", re.IGNORECASE)
_EXCHANGES = (
    "NYSE|NASDAQ|NasdaqGS|AMEX|CBOE|OTC|OTCMKTS|LSE|LON|AIM|TSX|TSXV|TSE|TYO|HKEX|HKG|SEHK|SSE|SHA|SZSE|SHE|ASX|NSE"
    "|BSE|KRX|TWSE|SGX|ETR|FRA|XETRA|EPA|AMS|BIT|BME|SIX|SWX|STO|OSL|CPH|HEL|EURONEXT"
)
_CASHTAG = re.compile(r"(?<![\w$])\$([A-Za-z][A-Za-z0-9]*(?:[.\-][A-Za-z]{1,2})?)(?!\w)")
_LISTED = re.compile(rf"(?<!\w)(?:{_EXCHANGES})\s?:\s?([A-Za-z0-9][A-Za-z0-9.\-]*)", re.IGNORECASE)
_REUTERS = re.compile(r"\(([A-Z0-9]+)\.[A-Z]{1,3}\)")
# Where a text begins and ends within a headline, in characters.
Span = tuple[int, int]

# Tickers of up to so many letters are acronyms too (GPS), and such names words (GAP).
_SHORT = 3


class Watched(Protocol):
    """A company as far as it is looked for."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def ticker(self) -> str: ...
    @property
    def aliases(self) -> Collection[str]: ...


class _Token(NamedTuple):
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class _Name:
    """A name as a sequence of tokens.

    Attributes:
        tokens: The tokens.
        is_ticker: Whether it must be written just so.
        companies: Ids of those that have it.
    """

    tokens: tuple[str, ...]
    is_ticker: bool
    companies: tuple[str, ...]


class Linker:
    """Knows the names of a watchlist.

    Args:
        companies: The watchlist.
        ordinary: Words of the language in small letters; a ticker among them is no sign of its company.

    Attributes:
        shared: Ids of the companies that have a name in common, by the name; each is linked where it stands.
        words: Ids of the companies by ticker, where that is a word: it is found as `$T` or beside an exchange.
    """

    def __init__(self, companies: Iterable[Watched], ordinary: Collection[str] = ()) -> None:
        owners: defaultdict[tuple[str, bool], dict[str, None]] = defaultdict(dict)
        self._tickers: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._called: dict[str, str] = {}
        self.words: dict[str, str] = {}
        for company in companies:
            names = {short for name in (company.name, *company.aliases) for short in short_forms(name)}
            for name in names:
                owners[name, False][company.id] = None
            for name in (company.id, company.ticker, *names):
                self._called.setdefault(name.casefold(), company.id)
            if company.ticker:
                self._tickers[_plain(company.ticker)][company.id] = None
                if _is_ordinary(company.ticker, ordinary):
                    self.words[company.ticker] = company.id
                else:
                    owners[company.ticker, True][company.id] = None
        self.shared = {name: tuple(ids) for (name, _), ids in owners.items() if len(ids) > 1}
        self._by_first: defaultdict[str, list[_Name]] = defaultdict(list)
        for (name, is_ticker), ids in owners.items():
            tokens = tuple(token.text for token in _tokens(name))
            self._by_first[tokens[0].casefold()].append(_Name(tokens, is_ticker, tuple(ids)))
        for known in self._by_first.values():
            known.sort(key=lambda name: len(name.tokens), reverse=True)

    def companies(self, headline: str) -> list[str]:
        """Ids of the companies that a headline is about, in the order in which it names them."""
        return list(dict.fromkeys(company for _, _, ids in self._found(headline) for company in ids))

    def mentions(self, headline: str, company: str) -> list[Span]:
        """Where a headline names the company of that id, from left to right."""
        return [(start, end) for start, end, ids in self._found(headline) if company in ids]

    def id_of(self, company: str) -> str:
        """Id of the company of that id, name, alias or ticker; what the feed says where there is none."""
        return self._called.get(company.casefold(), company)

    def _found(self, headline: str) -> list[tuple[int, int, tuple[str, ...]]]:
        """Start, end and ids of what is named, from left to right."""
        notations = list(self._notations(headline))
        covered = [(start, end) for start, end, _ in notations]
        names = (found for found in self._names(headline) if not _overlaps(*found[:2], covered))
        return sorted([*notations, *names])

    def _notations(self, headline: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Where tickers stand in a notation that says that they are tickers; of other companies too."""
        for pattern in (_CASHTAG, _LISTED, _REUTERS):
            for match in pattern.finditer(headline):
                yield match.start(), match.end(), tuple(self._tickers.get(_plain(match[1]), ()))

    def _names(self, headline: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        tokens = _tokens(headline)
        is_shouted = not any(character.islower() for character in headline)
        at = 0
        while at < len(tokens):
            for name in self._by_first.get(tokens[at].text.casefold(), ()):
                part = tokens[at : at + len(name.tokens)]
                if _is_written(name, part, is_shouted) and _is_apart(headline, part[0].start, part[-1].end):
                    yield part[0].start, part[-1].end, name.companies
                    at += len(part) - 1
                    break
            at += 1


def short_forms(name: str) -> list[str]:
    """A name as a register has it, and as headlines do: without legal form, article, and word for a group."""
    name = " ".join(name.replace("’", "'").split())
    forms = [name] if name else []
    while (shorter := _LEGAL_FORM.sub("", forms[-1] if forms else "")) and shorter != forms[-1]:
        forms.append(shorter)
    if forms and (group := _GROUP.search(forms[-1])):
        forms.append(forms[-1][: group.end(1)])
    return forms + [form[4:] for form in forms if form.startswith("The ") and len(form) > len("The ")]


def words_of(text: str) -> list[str]:
    """Words of a text, as they are written."""
    return [token.text for token in _tokens(text) if token.text[0].isalpha()]


def _tokens(text: str) -> list[_Token]:
    return [_Token(match[0].replace("’", "'"), *match.span()) for match in _TOKEN.finditer(text)]


def _plain(ticker: str) -> str:
    return ticker.upper().replace("-", ".").rstrip(".")


def _is_ordinary(ticker: str, ordinary: Collection[str]) -> bool:
    """Whether a ticker may stand in a headline for something else: a word, a number, an acronym."""
    return len(ticker) <= _SHORT or ticker.isdecimal() or ticker.casefold() in ordinary


def _is_written(name: _Name, part: list[_Token], is_shouted: bool) -> bool:
    """Whether tokens are those of a name, in a case that tells the name from a word."""
    if len(part) < len(name.tokens):
        return False
    if name.is_ticker:
        return not is_shouted and all(token.text == wanted for token, wanted in zip(part, name.tokens, strict=True))
    return all(_is_same(token.text, wanted) for token, wanted in zip(part, name.tokens, strict=True))


def _is_same(text: str, wanted: str) -> bool:
    if text == wanted or text.casefold() != wanted.casefold():
        return text == wanted
    if wanted.isupper() and len(wanted) <= _SHORT:
        return False  # GAP is no gap, and Sap no SAP
    return text[0].isupper() or not wanted[0].isupper()


def _is_apart(headline: str, start: int, end: int) -> bool:
    """Whether what stands there is no part of a longer word; hyphens, possessives and d'Airbus join words."""
    is_behind_another = re.search(r"\w['’.&@]$", headline[:start]) and not re.search(r"\b[dl]['’]$", headline[:start])
    return not is_behind_another and not re.match(r"(?!\.com\b)[.&@]\w", headline[end:])


def _overlaps(start: int, end: int, spans: Iterable[Span]) -> bool:
    return any(start < other_end and other_start < end for other_start, other_end in spans)
