"""Checks of what people type or paste."""

import unicodedata

from core.util.errors import SteerError


def check_text(text: str, *, max_length: int, what: str) -> str:
    """The text without invisible characters.

    Args:
        text: Text as it came.
        max_length: Largest number of characters.
        what: Name of what was asked for, as a sentence has it ("a message").

    Raises:
        SteerError: It is empty, too long, or mostly not text.
    """
    if len(text) > max_length:
        raise SteerError(f"That has {len(text):,} characters; please keep it under {max_length:,}.")
    visible = "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C").strip()
    if not visible:
        raise SteerError(f"Please type {what} first.")
    if len(visible) < len(text) / 2 or visible.count("\ufffd") > len(visible) / 10:
        raise SteerError(f"That does not look like text. Please type {what} in words.")
    return visible
