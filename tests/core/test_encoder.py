"""The pretrained encoder, in each way of adapting it."""

import numpy as np
import pytest
import torch

from core.data.windows import MARK
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.cached_vectors import ActivationCache
from core.models.encoder import TextEncoder
from core.util.lru_cache import LRUCache

TEXTS = ["where is my parcel", "has my order been sent", "fry the onions in butter"]


@pytest.mark.parametrize("adapt", ["frozen", "top", "full", "lora", "adalora", "ia3"])
def test_each_adaptation_starts_from_the_same_pretrained_vectors(adapt):
    frozen = TextEncoder(precision="fp32").embed(TEXTS)
    adapted = TextEncoder(adapt=adapt, precision="fp32").eval().embed(TEXTS)
    assert np.allclose(frozen, adapted, atol=1e-4)
    assert frozen[0] @ frozen[1] > frozen[0] @ frozen[2] + 0.2


@pytest.mark.parametrize(
    ("adapt", "share"),
    [
        ("frozen", 0),
        ("top", 0.16),
        ("full", 0.48),
        ("lora", 0.028),
        ("adalora", 0.042),
        ("ia3", 0.0007),
        ("prefix", 0.0032),
        ("prompt", 0.0003),
    ],
)
def test_each_adaptation_trains_its_share_of_the_weights(adapt, share):
    encoder = TextEncoder(adapt=adapt)
    trained = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    total = sum(p.numel() for p in encoder.parameters())
    assert trained / total == pytest.approx(share, rel=0.1)


@pytest.mark.parametrize("adapt", ["top", "full", "lora", "adalora", "ia3", "prefix", "prompt"])
def test_each_adaptation_learns_and_is_kept(adapt, tmp_path):
    torch.manual_seed(0)
    policy, rewards = chooser(adapt), torch.eye(3)
    optimizer = torch.optim.AdamW(
        [p for p in policy.parameters() if p.requires_grad], lr=3e-4 if adapt == "full" else 3e-3
    )
    losses = []
    for step in range(12):
        loss = -(policy({"text": TEXTS}).distribution.probs * rewards).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        policy.after_step(step + 1, 12)
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.2
    policy.save(tmp_path)
    again = chooser(adapt)
    again.load(tmp_path)
    assert torch.allclose(again.logits({"text": TEXTS}), policy.logits({"text": TEXTS}), atol=1e-5)


def chooser(adapt: str) -> ActorCritic:
    encoder = TextEncoder(adapt=adapt, rank=8, layers=1, precision="fp32")
    return ActorCritic(encoder, ChoiceHead(encoder.width, (3,)))


def test_kept_activations_of_frozen_layers_change_no_vector_and_no_gradient():
    def vectors_and_gradients(encoder):
        vectors = encoder(TEXTS + TEXTS[:1])
        vectors.square().sum().backward()
        return vectors, {name: p.grad for name, p in encoder.named_parameters() if p.grad is not None}

    kept, plain = (TextEncoder(adapt="top", layers=2, precision="fp32").eval() for _ in range(2))
    plain._halves = None
    vectors, gradients = vectors_and_gradients(kept)
    expected, expected_gradients = vectors_and_gradients(plain)
    assert torch.allclose(vectors, expected, atol=1e-5)
    assert gradients.keys() == expected_gradients.keys()
    for name, gradient in gradients.items():
        assert torch.allclose(gradient, expected_gradients[name], atol=1e-4, rtol=1e-3), name


def test_each_text_passes_the_frozen_layers_once():
    encoder = TextEncoder(adapt="top", layers=1, precision="fp32")
    passed = []
    encoder.backbone.encoder.layer[0].register_forward_hook(lambda *_: passed.append(1))
    encoder(TEXTS)
    first = len(passed)
    encoder(TEXTS[::-1])
    assert first > 0
    assert len(passed) == first


def test_the_store_of_activations_grows_beyond_its_first_size():
    store = ActivationCache(4, torch.bfloat16)
    generator = torch.Generator().manual_seed(0)
    texts = {(f"text {n}", n % 40 + 1): torch.randn(n % 40 + 1, 4, generator=generator).bfloat16() for n in range(600)}
    for text in texts:
        store.get([text], lambda new: [texts[key] for key in new])
    kept = store.get(list(texts), lambda new: [])
    assert all(torch.equal(found, vectors) for found, vectors in zip(kept, texts.values(), strict=True))


@pytest.mark.parametrize("adapt", ["frozen", "top", "full", "lora"])
def test_serving_changes_no_vector(adapt):
    encoder = TextEncoder(adapt=adapt, precision="bf16").eval()
    before = encoder(TEXTS)
    encoder.for_serving()
    encoder._frozen_vectors = LRUCache(10)
    assert torch.allclose(encoder(TEXTS), before, atol=1e-3)


def test_an_encoder_that_serves_beside_another_leaves_the_common_layers_to_it():
    policy, retrieval = TextEncoder(adapt="top", layers=2, max_length=8), TextEncoder(max_length=64)
    alone = retrieval.embed(TEXTS)
    policy.for_serving()
    retrieval.for_serving(beside=policy)
    passed = {"policy": 0, "retrieval": 0, "upper": 0}

    def count(name: str):
        return lambda *_: passed.update({name: passed[name] + 1})

    policy.backbone.encoder.layer[0].register_forward_hook(count("policy"))
    retrieval.backbone.encoder.layer[0].register_forward_hook(count("retrieval"))
    retrieval.backbone.encoder.layer[-1].register_forward_hook(count("upper"))
    retrieval._frozen_vectors = LRUCache(10)
    policy(TEXTS)
    assert (retrieval.embed(TEXTS) * alone).sum(axis=1) == pytest.approx(1, abs=1e-3)
    assert passed == {"policy": 1, "retrieval": 0, "upper": 1}

    long = "my parcel is late and nobody can tell me where it is, what shall I do about that now"
    whole = TextEncoder(max_length=64).embed([long])
    policy([long])  # sees the first words alone
    assert (retrieval.embed([long]) * whole).sum() == pytest.approx(1, abs=1e-3)
    assert passed["retrieval"] == 1


def test_what_serving_remembers_of_frozen_layers_is_bounded():
    encoder = TextEncoder(adapt="top", layers=1, max_length=8)
    encoder.for_serving()
    for at in range(0, 400, 50):
        encoder([f"parcel {number}" for number in range(at, at + 50)])
    assert len(encoder._activations) == 256


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


@pytest.mark.parametrize("adapt", ["frozen", "top", "prefix"])
def test_half_of_a_texts_vector_is_that_of_what_it_is_asked_about(adapt):
    encoder = TextEncoder(adapt=adapt, layers=2, rank=4, precision="fp32").eval()
    first, second = f"{MARK} beats Corvane", f"Corvane beats {MARK}"
    with torch.no_grad():
        together = encoder([first, second, "Corvane beats Ostmark"])
        words = encoder.tokenizer(first)["input_ids"]
        hidden = encoder.backbone(torch.tensor([words])).last_hidden_state[0, encoder._virtual :]
    at = words.index(encoder.tokenizer.mask_token_id)
    torch.testing.assert_close(together[0], (hidden.mean(0) + hidden[at]) / 2, atol=1e-4, rtol=0)
    assert torch.cosine_similarity(together[0], together[1], dim=0) < 0.99
