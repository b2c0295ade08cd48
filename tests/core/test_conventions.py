"""Encoders pool texts, and put prefixes before them, as the model was made to."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.encoder import TextEncoder, load_backbone
from core.models.settings import EncoderSettings
from core.models.weights import DEFAULT_ENCODER
from core.util.errors import SteerError
from tests.core.encoder_families import WORDS, write_family

TEXTS = WORDS[:4]


def told(folder: Path, pooling: str | None = None, prompts: dict | None = None, **options) -> Path:
    """The folder, with sentence-transformers' files as that library writes them."""
    if pooling is not None:
        modules = [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ]
        names = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]
        chosen = pooling.split("+")
        if set(chosen) <= set(names):
            modes = {f"pooling_mode_{name}": name in chosen for name in names}
        else:  # as newer versions write it
            modes = {"pooling_mode": chosen if len(chosen) > 1 else pooling}
        (folder / "modules.json").write_text(json.dumps(modules))
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling" / "config.json").write_text(
            json.dumps({"word_embedding_dimension": 32, **modes, "include_prompt": True, **options})
        )
    if prompts is not None:
        (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return folder


@pytest.fixture
def bert(tmp_path) -> Path:
    return write_family("BERT", tmp_path / "bert")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("cls_token", lambda tokens: tokens[0]),
        ("mean_tokens", lambda tokens: tokens.mean(0)),
        ("lasttoken", lambda tokens: tokens[-1]),
        ("cls", lambda tokens: tokens[0]),
        ("mean", lambda tokens: tokens.mean(0)),
    ],
)
@pytest.mark.parametrize("adapt", ["frozen", "top", "prompt"])
def test_the_vector_is_what_the_model_was_made_with(mode, expected, adapt, bert):
    torch.manual_seed(0)
    encoder = TextEncoder(str(told(bert, mode)), adapt=adapt, rank=3, layers=1, precision="fp32").eval()
    for text, vector in zip(TEXTS, encoder(TEXTS), strict=True):
        ids = torch.tensor([encoder.tokenizer(text)["input_ids"]])
        tokens = encoder.backbone(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        own = tokens[3:] if adapt == "prompt" else tokens
        assert torch.allclose(vector, expected(own), atol=1e-5)


def test_without_such_files_a_decoder_gives_its_last_token_and_others_the_mean(bert, tmp_path):
    assert TextEncoder(str(bert)).conventions.pooling == "mean"
    assert TextEncoder(DEFAULT_ENCODER).conventions.pooling == "mean"
    qwen = TextEncoder(str(write_family("Qwen3", tmp_path / "qwen")), precision="fp32")
    ids = torch.tensor([qwen.tokenizer(TEXTS[0])["input_ids"]])
    last = load_backbone(qwen.name)(input_ids=ids).last_hidden_state[0, -1]
    assert torch.allclose(qwen(TEXTS)[0], last, atol=1e-5)


@pytest.mark.parametrize(
    ("pooling", "options"),
    [
        ("max_tokens", {}),
        ("max", {}),
        ("cls_token+mean_tokens", {}),
        ("cls+mean", {}),
        ("mean_tokens", {"include_prompt": False}),
    ],
)
def test_another_pooling_is_refused_until_one_is_named(pooling, options, bert):
    told(bert, pooling, **options)
    with pytest.raises(
        SteerError, match=r"a pooling that Steer does not have .* set encoder.pooling to mean, cls or last"
    ):
        TextEncoder(str(bert))
    assert TextEncoder(str(bert), pooling="cls").conventions.pooling == "cls"


@pytest.mark.parametrize(
    ("prompts", "query", "document"),
    [
        ({"prompts": {"query": "query: ", "passage": "passage: "}}, "query: ", "passage: "),
        ({"prompts": {"query": "", "document": ""}, "default_prompt_name": None}, "", ""),
        ({"prompts": {"ask": "one two "}, "default_prompt_name": "ask"}, "one two ", "one two "),
        ({"prompts": {"query": "find: "}, "default_prompt_name": None}, "find: ", ""),
        ({}, "", ""),
    ],
)
def test_prefixes_come_from_the_models_prompts(prompts, query, document, bert):
    plain = TextEncoder(str(bert), precision="fp32")
    encoder = TextEncoder(str(told(bert, prompts=prompts)), precision="fp32")
    assert np.allclose(encoder.embed(TEXTS), plain.embed([query + text for text in TEXTS]), atol=1e-6)
    assert np.allclose(
        encoder.embed(TEXTS, role="document"), plain.embed([document + text for text in TEXTS]), atol=1e-6
    )
    assert torch.allclose(encoder(TEXTS), plain([query + text for text in TEXTS]), atol=1e-6)
    assert encoder.lengths(TEXTS) == plain.lengths([query + text for text in TEXTS])


def test_settings_come_before_the_models_files(bert):
    told(bert, "cls_token", {"prompts": {"query": "query: ", "passage": "passage: "}})
    asked = EncoderSettings(name=str(bert), pooling="last", query_prefix="", document_prefix="one ")
    conventions = TextEncoder.of(asked, frozen=True).conventions
    assert (conventions.pooling, conventions.query, conventions.document) == ("last", "", "one ")
    assert TextEncoder.of(EncoderSettings(name=str(bert))).conventions.pooling == "cls"


def test_a_text_that_is_cut_keeps_its_prefix(bert):
    told(bert, prompts={"prompts": {"query": "query: "}})
    encoder = TextEncoder(str(bert), max_length=12)
    turns = "where is my parcel\n" * 6 + "my card was stolen"
    [ids] = encoder._tokenized(["query: " + turns])
    assert encoder.tokenizer.decode(ids[1:-1]).split()[:2] == ["query", ":"]
    assert encoder.tokenizer.decode(ids[1:-1]).endswith("my card was stolen")


def test_preloaded_vectors_are_those_of_their_role(bert, tmp_path, monkeypatch):
    monkeypatch.setenv("STEER_CACHE_DIR", str(tmp_path / "cache"))
    told(bert, prompts={"prompts": {"query": "query: ", "passage": "passage: "}})
    plain, first, second = (TextEncoder(str(bert), precision="fp32") for _ in range(3))
    for encoder in (first, second):
        encoder.preload(documents=TEXTS[:2], queries=TEXTS[1:])
        passed = []
        encoder.backbone.register_forward_hook(lambda *_, passed=passed: passed.append(1))
        assert np.allclose(encoder.embed(TEXTS[1:]), plain.embed(TEXTS[1:]), atol=1e-6)
        documents = encoder.embed(TEXTS[:2], role="document")
        assert np.allclose(documents, plain.embed(TEXTS[:2], role="document"), atol=1e-6)
        assert not passed


@pytest.mark.parametrize("adapt", ["frozen", "top", "lora"])
def test_a_trained_policy_reads_as_it_was_trained_whatever_becomes_of_the_files(adapt, bert, tmp_path):
    def policy(**settings) -> ActorCritic:
        torch.manual_seed(0)
        encoder = TextEncoder(str(bert), adapt=adapt, layers=1, rank=2, precision="fp32", **settings)
        return ActorCritic(encoder, ChoiceHead(encoder.width, (3,))).eval()

    told(bert, "cls_token", {"prompts": {"query": "query: ", "passage": "passage: "}})
    trained = policy()
    trained.save(tmp_path / "run")
    told(bert, "mean_tokens", {"prompts": {"query": "find: "}})
    served = policy()
    assert not torch.allclose(served.logits({"text": TEXTS}), trained.logits({"text": TEXTS}), atol=1e-3)
    served.load(tmp_path / "run")
    assert torch.equal(served.logits({"text": TEXTS}), trained.logits({"text": TEXTS}))
    with pytest.raises(SteerError, match=r"trained with encoder.pooling='cls', and the settings say 'last'"):
        policy(pooling="last").load(tmp_path / "run")
    with pytest.raises(SteerError, match=r"trained with encoder.query_prefix='query: ', and the settings say ''"):
        policy(query_prefix="").load(tmp_path / "run")


def test_a_policy_saved_before_there_were_conventions_is_read_as_its_encoder_is(bert, tmp_path):
    encoder = TextEncoder(str(bert), precision="fp32")
    before = encoder(TEXTS)
    (tmp_path / "old").mkdir()
    encoder.load(tmp_path / "old")
    assert torch.equal(encoder(TEXTS), before)
