"""Vectors that outlive the process which computed them."""

from uuid import uuid4

import pytest
import torch

from core.models.cached_vectors import _MOST_FILES, cached_embeddings
from core.models.encoder import TextEncoder
from core.util.errors import SteerError

TEXTS = ["Where is my parcel?", "A refund, please."]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STEER_CACHE_DIR", str(tmp_path))


def counted(computed):
    def compute(texts):
        computed.append(list(texts))
        return torch.arange(2.0 * len(texts)).reshape(-1, 2)

    return compute


def test_they_are_computed_once_for_each_source_and_texts(own_cache):
    computed = []
    first = cached_embeddings("a", TEXTS, counted(computed))
    assert torch.equal(cached_embeddings("a", TEXTS, counted(computed)), first)
    assert computed == [TEXTS]
    cached_embeddings("b", TEXTS, counted(computed))
    cached_embeddings("a", TEXTS[:1], counted(computed))
    assert computed == [TEXTS, TEXTS, TEXTS[:1]]


def test_a_damaged_file_is_made_again(own_cache, tmp_path):
    computed = []
    cached_embeddings("a", TEXTS, counted(computed))
    (file,) = (tmp_path / "vectors").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:20])
    cached_embeddings("a", TEXTS, counted(computed))
    cached_embeddings("a", TEXTS, counted(computed))
    assert len(computed) == 2


def test_those_that_nobody_asks_for_any_more_are_dropped(own_cache, tmp_path):
    computed = []
    cached_embeddings("in use", TEXTS, counted(computed))
    for change in range(2 * _MOST_FILES):
        cached_embeddings(f"change {change}", TEXTS, counted(computed))
        cached_embeddings("in use", TEXTS, counted(computed))
    assert len(list((tmp_path / "vectors").glob("*.safetensors"))) == _MOST_FILES
    assert len(computed) == 1 + 2 * _MOST_FILES


def test_a_file_in_the_place_of_the_folder_is_named(own_cache, tmp_path):
    (tmp_path / "vectors").write_text("mine")
    with pytest.raises(SteerError, match=r"vectors: File exists; move away what stands there"):
        cached_embeddings("a", TEXTS, counted([]))
    assert (tmp_path / "vectors").read_text() == "mine"


def test_an_encoder_says_the_same_from_the_cache(monkeypatch):
    texts = [*TEXTS, f"Where is order {uuid4()}?", TEXTS[0]]
    computing, loading = TextEncoder(max_length=32), TextEncoder(max_length=32)
    computing.preload(documents=(), queries=texts)
    monkeypatch.setattr(loading, "_frozen_pooled", lambda texts: pytest.fail("computed again"))
    loading.preload(documents=(), queries=texts)
    assert (loading.embed(texts) == computing.embed(texts)).all()
