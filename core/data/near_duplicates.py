"""Texts that say the same in nearly the same words."""

import re
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
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


def groups(texts: Sequence[str], threshold: float = NEAR_DUPLICATE) -> np.ndarray:
    """Group number of each text, int64; near-duplicates of near-duplicates share one."""
    pairs = np.array(near_duplicate_pairs(texts, threshold)).reshape(-1, 2)
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(texts), len(texts)))
    return connected_components(links, directed=False)[1]
