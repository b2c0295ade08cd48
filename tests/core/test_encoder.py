"""The pretrained encoder, in each way of adapting it."""

import numpy as np
import pytest
import torch

from core.models.encoder import TextEncoder

TEXTS = ["where is my parcel", "has my order been sent", "fry the onions in butter"]


@pytest.mark.parametrize("adapt", ["frozen", "top", "full", "lora"])
def test_each_adaptation_starts_from_the_same_pretrained_vectors(adapt):
    frozen = TextEncoder(precision="fp32").embed(TEXTS)
    adapted = TextEncoder(adapt=adapt, precision="fp32").eval().embed(TEXTS)
    assert np.allclose(frozen, adapted, atol=1e-4)
    assert frozen[0] @ frozen[1] > frozen[0] @ frozen[2] + 0.2


@pytest.mark.parametrize(("adapt", "share"), [("frozen", 0), ("top", 0.16), ("full", 0.48), ("lora", 0.05)])
def test_each_adaptation_trains_its_share_of_the_weights(adapt, share):
    encoder = TextEncoder(adapt=adapt)
    trained = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    total = sum(p.numel() for p in encoder.parameters())
    assert trained / total == pytest.approx(share, abs=0.05)


def test_a_step_changes_the_trained_layers_and_no_others():
    encoder = TextEncoder(adapt="top", layers=1, precision="fp32")
    before = {name: p.detach().clone() for name, p in encoder.named_parameters()}
    optimizer = torch.optim.SGD([p for p in encoder.parameters() if p.requires_grad], lr=0.1)
    encoder(TEXTS).square().sum().backward()
    optimizer.step()
    changed = {name for name, p in encoder.named_parameters() if not torch.equal(p, before[name])}
    assert changed
    assert all("layer.5" in name for name in changed)


def test_vectors_do_not_depend_on_the_company_they_are_computed_in():
    encoder = TextEncoder(precision="fp32")
    long = "a long message " * 40
    assert np.allclose(encoder.embed([TEXTS[0]]), encoder.embed([long, TEXTS[0], "x"])[1:2], atol=1e-5)


def test_an_empty_text_and_an_endless_one_have_vectors():
    vectors = TextEncoder().embed(["", "x" * 1_000_000])
    assert np.isfinite(vectors).all()
