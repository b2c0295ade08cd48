"""Years and prices in a sentence, as `folded` spells it."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from apps.recommender.wishes.cues import CHEAP, EXPENSIVE

_TENS: Mapping[str, int] = {
    "twenties": 20, "thirties": 30, "forties": 40, "fifties": 50, "sixties": 60, "seventies": 70, "eighties": 80,
    "nineties": 90, "zwanziger": 20, "dreissiger": 30, "vierziger": 40, "funfziger": 50, "sechziger": 60,
    "siebziger": 70, "achtziger": 80, "neunziger": 90, "veinte": 20, "treinta": 30, "cuarenta": 40, "cincuenta": 50,
    "sesenta": 60, "setenta": 70, "ochenta": 80, "noventa": 90, "vingt": 20, "trente": 30, "quarante": 40,
    "cinquante": 50, "soixante-dix": 70, "soixante": 60, "quatre-vingt-dix": 90, "quatre-vingts": 80,
    "quatre-vingt": 80, "二十": 20, "三十": 30, "四十": 40, "五十": 50, "六十": 60, "七十": 70, "八十": 80,
    "九十": 90, "八零": 80, "九零": 90,
}  # fmt: skip
_YEAR = r"(?<![\d.,])(?:1[89]|20)\d\d(?![\d])(?!s\b|er|'s)(?:\s*年(?!代))?"
_NAMES = "|".join(sorted(_TENS, key=len, reverse=True))
_DECADE = (
    r"(?:(?:early|late|fruhen?|spaten?|(?:principios|finales) de|debut|fin)\s+(?:in |of )?"
    r"(?:the |los |las |des |der )?)?"
    r"(?:'?(?:1[89]|20)?\d0\s?'?s\b|(?:1[89]|20)?\d0er[ns]?\b(?:[- ]?jahren?)?"
    r"|(?:los )?(?:anos|annees) (?:1[89]|20)?\d0\b"
    rf"|(?:los |las |annees )?(?:anos )?(?:{_NAMES})n?\b(?: jahren?)?|(?:(?:1[89]|20)?\d0|{_NAMES})\s*年代)"
)
_PERIOD = rf"(?:{_DECADE}|{_YEAR})"
_THE = r"(?:(?:the|den|der|dem|des|jahr|year|ano|annee|l'an|los|las|les|von|de)\s+)*"
_BEFORE = (
    r"(?:before|prior to|(?:older|earlier) than|vor|(?:alter|fruher) als|antes de|antes del|anterior(?:es)? a|"
    r"mas (?:antigu|viej)\w+ que|avant|anterieure?s? a|plus (?:ancien|vieu)\w* que)"
)
_AFTER = (
    r"(?:after|(?:newer|later|more recent) than|nach|(?:neuer|junger) als|despues de|despues del|posterior(?:es)? a|"
    r"mas (?:nuev|reciente)\w* que|apres|posterieure?s? a|plus recente?s? que)"
)
_UNTIL = r"(?:until|till|up to|no later than|bis|hasta|jusqu'(?:en|a|aux))"
_SINCE = r"(?:since|starting (?:in|with|from)|seit|ab|desde|a partir de|depuis|nicht alter als|no older than)"
_OR_LATER = (
    r"(?:on(?:wards?)?\b|(?:or|and) (?:later|newer|after)|(?:oder|und) (?:neuer|spater)|o mas (?:nuev|recient)\w*|"
    r"(?:ou|et) plus recent\w*|以来|起|开始)"
)
_OR_EARLIER = (
    r"(?:(?:or|and) (?:earlier|older|before)|(?:oder|und) (?:alter|fruher)|o (?:mas )?(?:antigu|antes)\w*|"
    r"ou plus ancien\w*)"
)
_TO = r"\s*(?:-|to|and|until|bis|und|y|a|et|hasta|到|至|~)\s*"
_IN = r"(?:(?:from|in|of|out of|aus|im|de|en|del|d'|des|dans)\s+)?"
_MOSTLY = r"(?:(?:from|between|zwischen|entre|von|de|desde|in|aus)\s+)?"

Limits = tuple[float | None, float | None]


@dataclass(frozen=True)
class Found:
    """Limits that stand in a text.

    Attributes:
        start: Place where they begin.
        end: Place where they end.
        low: First year, or lowest price; None where there is no limit.
        high: Last year, or highest price; None where there is no limit.
        is_opposite: Whether they are what a negation before them means: what is not expensive is cheap.
    """

    start: int
    end: int
    low: float | None
    high: float | None
    is_opposite: bool = False


def years_in(text: str, first: int) -> Iterator[Found]:
    """Years and decades in a text, each as the first and last year that it allows.

    Args:
        text: Text as `folded` spells it.
        first: Year of the oldest item, by which the twenties are those of this century or of the last.
    """
    end = 0
    while hits := [hit for pattern, limits in _YEARS if (hit := _first(pattern, limits, text, end, first))]:
        found = min(hits, key=lambda hit: (hit.start, -hit.end))
        yield found
        end = found.end


def _first(pattern: re.Pattern[str], limits: Callable[..., Limits], text: str, start: int, first: int) -> Found | None:
    hit = pattern.search(text, start)
    return Found(hit.start(), hit.end(), *limits(*(_period(part, first) for part in hit.groups()))) if hit else None


def _period(text: str, first: int) -> tuple[int, int]:
    """First and last year of a year or a decade."""
    found = re.search(r"\d+", text)
    if re.fullmatch(rf"\s*{_YEAR}\s*", text) and found:
        return int(found[0]), int(found[0])
    number = (
        int(found[0]) if found else next(_TENS[name] for name in sorted(_TENS, key=len, reverse=True) if name in text)
    )
    if number < 100:
        number += 2000 if number in (0, 10) or (number == 20 and first >= 1930) else 1900
    if re.match(r"early|fruh|principios|debut", text):
        return number, number + 4
    return (number + 5, number + 9) if re.match(r"late|spat|finales|fin", text) else (number, number + 9)


_YEARS: tuple[tuple[re.Pattern[str], Callable[..., Limits]], ...] = (
    (re.compile(rf"\b{_MOSTLY}{_THE}({_PERIOD}){_TO}{_THE}({_PERIOD})(?:之间)?"), lambda a, b: (a[0], b[1])),
    (re.compile(rf"(?<!\w)(?:from |de |d')?(?:{_BEFORE}\s+|pre-\s*){_THE}({_PERIOD})"), lambda a: (None, a[0] - 1)),
    (re.compile(rf"({_PERIOD})\s*(?:以前|之前|前)"), lambda a: (None, a[0] - 1)),
    (re.compile(rf"\b(?:{_AFTER}\s+|post-\s*){_THE}({_PERIOD})"), lambda a: (a[1] + 1, None)),
    (re.compile(rf"({_PERIOD})\s*(?:以后|之后|后)"), lambda a: (a[1] + 1, None)),
    (re.compile(rf"\b{_UNTIL}\s+{_THE}({_PERIOD})"), lambda a: (None, a[1])),
    (re.compile(rf"\b{_IN}{_THE}({_PERIOD})\s*{_OR_EARLIER}"), lambda a: (None, a[1])),
    (re.compile(rf"\b{_SINCE}\s+{_THE}({_PERIOD})"), lambda a: (a[0], None)),
    (re.compile(rf"\b{_IN}{_THE}({_PERIOD})\s*{_OR_LATER}"), lambda a: (a[0], None)),
    (re.compile(rf"(?<!\w){_IN}{_THE}({_PERIOD})"), lambda a: a),
)

_CURRENCY = r"(?:[€$£¥]|(?:euros?|eur|dollars?|usd|pounds?|gbp|yuan)\b|元|块钱?|欧元|美元|英镑)"
_NUMBER = rf"(?:{_CURRENCY}\s*)?(\d+(?:[.,]\d\d?)?)"
_AMOUNT = rf"{_NUMBER}(?:\s*{_CURRENCY}|(?=\s*(?:以[下上内]|$)))"
_AT_MOST = (
    r"(?:under|below|less than|cheaper than|up to|at most|max(?:imum)?|unter|bis(?: zu)?|weniger als|billiger als|"
    r"hochstens|menos de|por debajo de|hasta|moins de|en dessous de|jusqu'a|不超过|低于|最多)"
)
_AT_LEAST = r"(?:over|above|more than|at least|uber|mehr als|mindestens|mas de|plus de|au moins|超过|高于|至少)"
_PRICES: tuple[tuple[re.Pattern[str], Callable[..., Limits]], ...] = (
    (
        re.compile(rf"(?:(?:between|zwischen|entre)\s+)?{_NUMBER}(?:\s*{_CURRENCY})?{_TO}{_NUMBER}\s*{_CURRENCY}"),
        lambda a, b: (a, b),
    ),
    (re.compile(rf"{_AMOUNT}\s*(?:以下|以内)"), lambda a: (None, a)),
    (re.compile(rf"{_AMOUNT}\s*以上"), lambda a: (a, None)),
    (re.compile(rf"{_AT_MOST}\s*{_AMOUNT}"), lambda a: (None, a)),
    (re.compile(rf"{_AT_LEAST}\s*{_AMOUNT}"), lambda a: (a, None)),
)
_CHEAP, _EXPENSIVE = (re.compile(rf"(?<![a-z])(?:{words})(?![a-z])") for words in (CHEAP, EXPENSIVE))


def price_in(text: str, cheap: float, *, is_unwanted: bool) -> Found | None:
    """The price that a text asks for, if it names one.

    Args:
        text: Text as `folded` spells it.
        cheap: Highest price of what is cheap.
        is_unwanted: Whether the text is negated.
    """
    for pattern, limits in _PRICES:
        if hit := pattern.search(text):
            return Found(hit.start(), hit.end(), *limits(*(float(part.replace(",", ".")) for part in hit.groups())))
    hit = (_EXPENSIVE if is_unwanted else _CHEAP).search(text)
    return Found(hit.start(), hit.end(), None, cheap, is_opposite=is_unwanted) if hit else None
