"""Texts that say the same in the same words, or in nearly the same."""

import re
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

NEAR_DUPLICATE = 0.8
_BANDS, _ROWS = 16, 4
_SHINGLES = 2**20


def same_text(text: str) -> str:
    """A text without what case and spacing add to it: texts for which this is equal are the same."""
    return " ".join(text.casefold().split())


def near_duplicate_groups(texts: Sequence[str]) -> np.ndarray:
    """Groups of texts that are linked by near-duplicates: int64 of shape (texts,), equal within a group.

    Two texts are near-duplicates if their sets of character 4-grams have a Jaccard index of at least `NEAR_DUPLICATE`;
    case, punctuation and spacing do not count. Candidates come from MinHash with locality-sensitive hashing (Broder
    1997; Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, section 3.4), so the time grows with the number of
    texts, not with its square: of pairs at a Jaccard index of 0.8, the hashing overlooks one in five thousand.

    Args:
        texts: Texts to be compared with each other.
    """
    from sklearn.feature_extraction.text import HashingVectorizer  # a second to import, and most readers need none

    if not texts:
        return np.empty(0, dtype=np.int64)
    number_of: dict[str, int] = {}
    text_of = [number_of.setdefault(_plain(text), len(number_of)) for text in texts]
    vectorizer = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(4, 4),
        n_features=_SHINGLES,
        norm=None,
        alternate_sign=False,
        binary=True,
        dtype=np.float32,
    )
    shingles = csr_array(vectorizer.transform(number_of))
    links = np.concatenate([_similar(shingles, pairs) for pairs in _candidates(shingles)])
    graph = coo_array((np.ones(len(links), dtype=bool), tuple(links.T)), shape=(shingles.shape[0],) * 2)
    return connected_components(graph, directed=False)[1].astype(np.int64)[text_of]


def _plain(text: str) -> str:
    # A text of signs alone is compared by them; the hyphen stands for one of nothing at all.
    return " ".join(re.sub(r"[\W_]+", " ", text.casefold()).split()) or "".join(text.split()) or "-"


def _candidates(shingles: csr_array) -> list[np.ndarray]:
    """Pairs that agree in one band of their MinHashes, for each band: int64 of shape (pairs, 2)."""
    generator = np.random.default_rng(0)
    used, shingle_of = np.unique(shingles.indices, return_inverse=True)
    ranks = np.arange(len(used), dtype=np.int32)
    bands = np.stack([_band(ranks, shingle_of, shingles.indptr, generator) for _ in range(_BANDS)])
    found = []
    for band in range(_BANDS):
        # Within a bucket, texts that agree in the next band as well stand side by side. Each is compared with its
        # neighbour and with the bucket's first, so that a bucket of many costs no more than its size.
        order = np.lexsort((bands[(band + 1) % _BANDS], bands[band]))
        is_first = np.diff(bands[band][order], prepend=-1) != 0
        firsts = order[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))]
        neighbours = np.stack([order[:-1], order[1:]], axis=1)[~is_first[1:]]
        found.append(np.unique(np.concatenate([neighbours, np.stack([firsts, order], axis=1)[~is_first]]), axis=0))
    return found


def _band(ranks: np.ndarray, shingle_of: np.ndarray, starts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Number of each text's bucket, int64 of shape (texts,)."""
    hashes = []
    for _ in range(_ROWS):
        hashes.append(np.minimum.reduceat(generator.permutation(ranks)[shingle_of], starts[:-1]))
    return np.unique(np.stack(hashes, axis=1), axis=0, return_inverse=True)[1].astype(np.int64)


def _similar(shingles: csr_array, pairs: np.ndarray) -> np.ndarray:
    """The pairs that are near-duplicates."""
    left, right = shingles[pairs[:, 0]], shingles[pairs[:, 1]]
    shared = left.multiply(right).sum(axis=1)
    either = np.diff(left.indptr) + np.diff(right.indptr) - shared
    return pairs[shared >= NEAR_DUPLICATE * either]
