"""Encoders of every family, under every adaptation: the table of docs/encoders.md is true."""

import shutil
from pathlib import Path

import pytest
import torch
import transformers as hf

from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.adapters import layer_stack
from core.models.encoder import TextEncoder
from core.models.policy import set_dropout
from core.util.errors import SteerError
from tests.core.encoder_families import FAMILIES, WORDS, write_family

PAGE = Path(__file__).parents[2] / "docs" / "encoders.md"
TEXTS = WORDS[:3]
REFUSALS = {
    "shared": "uses the same weights in all of its 3 layers, so encoder.adapt=top .* use full, lora or frozen",
    "no input": "takes no keys and values from outside, .* encoder.adapt=prefix .* use prompt, lora or ia3",
}
# Of a matrix that is a product, the factor that begins at zero is the one that the first step moves.
FIRST_MOVED = {
    "lora": "lora_B", "adalora": "lora_E", "ia3": "ia3_l", "prefix": "prompt_encoder", "prompt": "prompt_encoder",
}  # fmt: skip


def table() -> dict[tuple[str, str], str]:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if " | yes" in line]
    header = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| family"))
    adaptations = [cell.strip("` ") for cell in header.strip("| ").split(" | ")[1:]]
    return {(row[0], adapt): cell for row in rows for adapt, cell in zip(adaptations, row[1:], strict=True)}


TABLE = table()
WORKING = [cell for cell, says in TABLE.items() if says.startswith("yes")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    return {family: write_family(family, tmp_path_factory.mktemp("family")) for family in FAMILIES}


def chooser(folder: Path, adapt: str, **settings) -> ActorCritic:
    torch.manual_seed(0)
    encoder = TextEncoder(str(folder), adapt=adapt, layers=1, rank=4, precision="fp32", **settings)
    policy = ActorCritic(encoder, ChoiceHead(encoder.width, (3,)))
    set_dropout(policy, 0.0)
    return policy


def learn(encoder: TextEncoder) -> None:
    vectors = encoder(TEXTS)
    (vectors * torch.linspace(-1, 1, vectors.numel()).view_as(vectors)).sum().backward()


def test_the_table_has_every_family_and_every_adaptation():
    assert {family for family, _ in TABLE} == set(FAMILIES)
    assert len(TABLE) == 8 * len(FAMILIES)


@pytest.mark.parametrize(("family", "adapt"), WORKING)
def test_a_step_changes_what_is_trained_and_nothing_else_and_is_kept(family, adapt, folders, tmp_path):
    policy = chooser(folders[family], adapt)
    encoder = policy.encoder
    vectors = encoder(TEXTS).detach()
    assert vectors.shape == (3, encoder.width)
    assert torch.isfinite(vectors).all()
    assert torch.cdist(vectors, vectors)[0, 1] > 1e-3
    before = {name: parameter.detach().clone() for name, parameter in encoder.named_parameters()}
    if adapt != "frozen":
        learn(encoder)
        torch.optim.SGD([each for each in encoder.parameters() if each.requires_grad], lr=1.0).step()
        assert not torch.equal(encoder(TEXTS), vectors)
    changed = {name for name, parameter in encoder.named_parameters() if not torch.equal(parameter, before[name])}
    assert changed == expected_changes(encoder, adapt)

    policy.save(tmp_path)
    policy.export(tmp_path)
    again = chooser(folders[family], adapt)
    again.load(tmp_path)
    assert torch.equal(again.encoder(TEXTS), encoder(TEXTS))
    if adapt in ("frozen", "top", "full"):
        alone = TextEncoder(str(tmp_path / "encoder"), precision="fp32")
        assert torch.allclose(alone(TEXTS), encoder(TEXTS), atol=1e-5)


def expected_changes(encoder: TextEncoder, adapt: str) -> set[str]:
    if adapt in FIRST_MOVED:
        return {name for name, _ in encoder.named_parameters() if FIRST_MOVED[adapt] in name}
    stack = layer_stack(encoder.backbone)
    trained = {"frozen": [], "top": list(stack.children())[-1:], "full": [stack]}[adapt]
    wanted = {id(parameter) for module in trained for parameter in module.parameters()}
    return {name for name, parameter in encoder.named_parameters() if id(parameter) in wanted}


@pytest.mark.parametrize(("family", "adapt"), [cell for cell in TABLE if cell not in WORKING])
def test_what_cannot_be_is_refused_in_one_line_that_names_what_can(family, adapt, folders):
    with pytest.raises(SteerError, match=REFUSALS[TABLE[family, adapt]]):
        chooser(folders[family], adapt)


@pytest.mark.parametrize("family", [family for family, adapt in WORKING if adapt == "top"])
def test_the_upper_layers_learn_as_if_nothing_below_them_were_kept(family, folders):
    top, full = (chooser(folders[family], adapt).encoder for adapt in ("top", "full"))
    for encoder in (top, full):
        learn(encoder)
    gradients = {name: parameter.grad for name, parameter in full.named_parameters()}
    trained = {name: parameter.grad for name, parameter in top.named_parameters() if parameter.grad is not None}
    assert len(trained) == len(list(layer_stack(top.backbone)[-1].parameters()))
    for name, gradient in trained.items():
        assert torch.allclose(gradient, gradients[name], atol=1e-4, rtol=1e-3), name
    passed = []
    layer_stack(top.backbone)[0].register_forward_hook(lambda *_: passed.append(1))
    top(TEXTS)
    assert (not passed) == (TABLE[family, "top"] == "yes, kept")


@pytest.mark.parametrize("family", FAMILIES)
def test_neither_company_nor_serving_changes_a_vector_and_an_empty_text_has_one(family, folders):
    encoder = TextEncoder(str(folders[family]), precision="bf16", max_length=24).eval()
    alone = encoder.embed([TEXTS[0]])
    together = TextEncoder(str(folders[family]), precision="bf16", max_length=24).embed(["", TEXTS[0], " ".join(WORDS)])
    assert torch.isfinite(torch.tensor(together)).all()
    assert (alone @ together[1]).item() == pytest.approx(1, abs=1e-3)
    encoder.for_serving()
    assert (encoder.embed([TEXTS[0]]) @ together[1]).item() == pytest.approx(1, abs=1e-3)


def test_an_encoder_decoder_whose_encoder_does_not_open_alone_is_refused(folders, tmp_path):
    config = hf.BartConfig(vocab_size=64, d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16,
                           decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2)  # fmt: skip
    shutil.copytree(folders["T5 (encoder)"], tmp_path, dirs_exist_ok=True)
    hf.AutoModel.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(SteerError, match=r"encoder-decoder \(bart\) whose encoder does not open alone; use"):
        TextEncoder(str(tmp_path))
