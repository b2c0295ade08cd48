"""Turns a log of single messages into conversations that say what was wanted."""

from collections.abc import Mapping, Sequence

from apps.customer_service.data import LoggedConversation, LoggedMessage, LoggedTurn
from core.data.splits import Split

_UNANSWERED = {"handed_over", "abandoned", "wrong_answer"}


def conversations_of(
    messages: Sequence[LoggedMessage], intent_of: Mapping[str, str], split_of: Mapping[str, Split]
) -> list[LoggedConversation]:
    """The conversations of a log that an article answered, which alone tell what the customer wanted.

    A customer who said several things before the answer opened vaguely: somebody had to ask.

    Args:
        messages: Messages in the order of the log, or in that of their times where each has one.
        intent_of: Intent of each article.
        split_of: Split of each conversation.
    """
    found = []
    for name, talk in talks_of(messages).items():
        answer = next((at for at, message in enumerate(talk) if message.article), None)
        is_answered = answer is not None and not _UNANSWERED & {message.outcome for message in talk}
        if answer is None or not is_answered:
            continue
        asked = [message for message in talk[: answer + 1] if message.role == "customer"]
        if not asked:
            continue
        article = talk[answer].article
        assert article is not None
        found.append(
            LoggedConversation(
                id=name,
                intent=intent_of[article],
                opening="clear" if len(asked) == 1 else "vague",
                outcome="solved",
                split=split_of[name],
                turns=[LoggedTurn(role=message.role, text=message.text) for message in talk],
            )
        )
    return found


def talks_of(messages: Sequence[LoggedMessage]) -> dict[str, list[LoggedMessage]]:
    """The messages of each conversation, the oldest first."""
    talks: dict[str, list[LoggedMessage]] = {}
    for message in messages:
        talks.setdefault(message.conversation, []).append(message)
    for talk in talks.values():
        if all(message.time for message in talk):
            talk.sort(key=lambda message: message.time)  # type: ignore[arg-type,return-value]
    return talks
