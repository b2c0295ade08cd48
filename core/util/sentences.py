"""Sentences of a text."""

import re

_END = re.compile(r"\n+|(?<=[.!?])\s+(?=[A-Z0-9\"'(])|(?<=[。！？])")


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order; a line ends one too."""
    return [part.strip() for part in _END.split(text) if part.strip()]
