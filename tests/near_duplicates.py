"""Texts that say the same in nearly the same words."""

import re
from collections.abc import Sequence

from sklearn.feature_extraction.text import TfidfVectorizer

NEAR_DUPLICATE = 0.85


def near_duplicate_pairs(texts: Sequence[str], threshold: float = NEAR_DUPLICATE) -> list[tuple[int, int]]:
    """Pairs of rows whose character 3- to 5-grams have a TF-IDF cosine of at least `threshold`.

    Args:
        texts: compared with each other.
        threshold: 1 means equal up to case, punctuation and space.
    """
    plain = [re.sub(r"\W+", " ", text.lower()).strip() for text in texts]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True).fit_transform(plain)
    pairs = []
    for start in range(0, len(plain), 512):
        similar = (vectors[start : start + 512] @ vectors.T).tocoo()
        close = similar.data >= threshold
        pairs += [
            (int(a) + start, int(b))
            for a, b in zip(similar.row[close], similar.col[close], strict=True)
            if int(a) + start < int(b)
        ]
    return pairs
