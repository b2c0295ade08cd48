"""What a label is worth: missing bad news costs most, crying wolf a little."""

from core.rewards.reward import Reward


# Labels and truths are identities such as "legal/negative". No term looks at the headline: the state is None.
def _right_sentiment(state: None, label: str, truth: str) -> bool:
    return _sentiment(label) == _sentiment(truth)


def _right_topic(state: None, label: str, truth: str) -> bool:
    return _topic(label) == _topic(truth)


def _negative_as_neutral(state: None, label: str, truth: str) -> bool:
    return (_sentiment(truth), _sentiment(label)) == ("negative", "neutral")


def _negative_as_positive(state: None, label: str, truth: str) -> bool:
    return (_sentiment(truth), _sentiment(label)) == ("negative", "positive")


def _false_negative(state: None, label: str, truth: str) -> bool:
    return _sentiment(label) == "negative" != _sentiment(truth)


def _other_confusion(state: None, label: str, truth: str) -> bool:
    return {_sentiment(label), _sentiment(truth)} == {"neutral", "positive"}


def _flagged(state: None, label: str, truth: str) -> bool:
    """A person's time: whatever is called bad news is read by somebody, right or wrong."""
    return _sentiment(label) == "negative"


REWARD: Reward[None, str, str] = Reward(
    terms={
        "right_sentiment": _right_sentiment,
        "right_topic": _right_topic,
        "negative_as_neutral": _negative_as_neutral,
        "negative_as_positive": _negative_as_positive,
        "false_negative": _false_negative,
        "other_confusion": _other_confusion,
        "flagged": _flagged,
    },
    weights={
        "right_sentiment": 1.0,
        "right_topic": 0.5,
        "negative_as_neutral": -2.0,
        "negative_as_positive": -3.0,
        "false_negative": -1.0,
        "other_confusion": -0.5,
        "flagged": 0.0,
    },
)


def _topic(label: str) -> str:
    return label.partition("/")[0]


def _sentiment(label: str) -> str:
    return label.partition("/")[2]
