"""Headlines as a reader sees them: feeds deliver titles with tags and entities, which say nothing about the news."""

from html.parser import HTMLParser

_BREAKS = {"br", "div", "h1", "h2", "h3", "li", "p", "td", "tr"}
# Feeds escape what was escaped already.
_TIMES = 3


def without_markup(headline: str) -> str:
    """The headline without tags, its entities resolved; as it is where nothing else is left."""
    plain = headline
    for _ in range(_TIMES):
        if "<" not in plain and "&" not in plain:
            break
        text = _Text()
        text.feed(plain)
        text.close()
        plain = " ".join("".join(text.parts).split())
    return plain or headline


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        self._break(tag)

    def _break(self, tag: str) -> None:
        if tag in _BREAKS:
            self.parts.append(" ")
