"""What each outcome of a conversation is worth."""

from collections.abc import Mapping

from core.util.errors import SteerError

DEFAULTS = {
    "right_answer": 1.0,
    "wrong_answer": -1.5,
    "ask_back": -0.2,
    "right_hand_over": 1.0,
    "needless_hand_over": -0.2,
    "right_decline": 1.0,
    "wrong_decline": -1.0,
    "customer_left": -0.5,
}


def weights(settings: Mapping[str, float]) -> dict[str, float]:
    """The defaults, with what `settings` changes.

    Raises:
        SteerError: a name that no outcome has.
    """
    unknown = sorted(set(settings) - set(DEFAULTS))
    if unknown:
        raise SteerError(f"unknown reward {unknown[0]!r}; there are {', '.join(DEFAULTS)}")
    return {**DEFAULTS, **settings}
