"""The part of an article that answers a question."""

import re

from core.models.encoder import TextEncoder

_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(])")


def best_sentences(body: str, question: str, encoder: TextEncoder, most: int = 2) -> str:
    """The sentences of `body` nearest in meaning to `question`, in the article's own order.

    Args:
        body: of the article.
        question: of the customer.
        encoder: frozen; similarity is the cosine of its vectors.
        most: sentences to take.
    """
    sentences = [sentence.strip() for sentence in _END.split(body) if sentence.strip()]
    vectors = encoder.embed([question, *sentences])
    nearest = sorted((-(vectors[1:] @ vectors[0])).argsort(kind="stable")[:most])
    return " ".join(sentences[at] for at in nearest)
