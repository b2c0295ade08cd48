"""What is read of a text that is longer than the encoder's window."""

import numpy as np
import pytest
from transformers import AutoTokenizer

from core.data.windows import window_of
from core.envs.dialogue import DialogueEnv, Reply
from core.envs.single import TextToIds
from core.models.encoder import TextEncoder
from core.models.weights import DEFAULT_ENCODER, resolve
from tests.core.encoder_families import WORDS, write_family

NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(resolve(DEFAULT_ENCODER))


def read(tokenizer, text: str, window: int = 10) -> str:
    """The words that fit, one token each."""
    [ids] = window_of(tokenizer, [text], window)
    assert len(ids) <= window
    assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    return tokenizer.decode(ids[1:-1])


def test_a_text_that_fits_is_what_the_tokenizer_makes_of_it(tokenizer):
    for text in ("", "one two three", "one\ntwo", " ".join(NUMBERS[:8])):
        assert window_of(tokenizer, [text], 10) == [tokenizer(text)["input_ids"]]
    assert window_of(tokenizer, [], 10) == []


def test_of_a_long_message_both_ends_are_read(tokenizer):
    assert read(tokenizer, " ".join(NUMBERS)) == "one two three four thirteen fourteen fifteen sixteen"
    padded = "my card was stolen " + "blah " * 5000 + "please block it"
    assert read(tokenizer, padded).startswith("my card was stolen")
    assert read(tokenizer, padded).endswith("please block it")
    assert read(tokenizer, "one" + " " * 9000 + "two") == "one two"


def test_of_a_long_conversation_the_oldest_turns_go_first(tokenizer):
    turns = ["one two three four five six", "seven eight nine ten eleven", "twelve thirteen"]
    assert read(tokenizer, "\n".join(turns)) == "six seven eight nine ten eleven twelve thirteen"
    assert read(tokenizer, "\n".join(["blah " * 5000, *turns])) == "six seven eight nine ten eleven twelve thirteen"
    assert read(tokenizer, "\n".join(turns) + "\n") == "six seven eight nine ten eleven twelve thirteen"


def test_the_newest_turn_may_stand_first_before_separators(tokenizer):
    newest_first = "twelve thirteen [SEP] seven eight nine ten eleven [SEP] one two three"
    assert read(tokenizer, newest_first) == "twelve thirteen [SEP] seven eight nine ten eleven"


def test_a_prefix_is_kept_of_whatever_is_cut(tokenizer):
    def kept(text: str) -> str:
        [ids] = window_of(tokenizer, [text], 10, ["query: "])
        return tokenizer.decode(ids[1:-1])

    assert kept("query: " + "\n".join(["one two three four", "seven eight nine ten", "twelve"])) == (
        "query : four seven eight nine ten twelve"
    )
    assert kept("query: twelve thirteen [SEP] seven eight nine ten [SEP] one two") == (
        "query : twelve thirteen [SEP] seven eight nine"
    )
    assert kept("query: " + " ".join(NUMBERS)) == "query : one two thirteen fourteen fifteen sixteen"
    assert kept("query: one two") == "query : one two"


@pytest.mark.parametrize("family", ["T5 (encoder)", "Qwen3", "XLM-RoBERTa"])
def test_tokenizers_with_other_special_tokens_cut_the_same_turns(family, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(write_family(family, tmp_path))
    older, newer = WORDS[2], WORDS[0]
    around = tokenizer("")["input_ids"]
    window = len(tokenizer(newer)["input_ids"]) + 1

    def shown(text: str) -> str:
        [ids] = window_of(tokenizer, [text], window)
        assert len(ids) == window
        assert [token for token in ids if token in around][-1:] == around[-1:]
        return tokenizer.decode(ids, skip_special_tokens=True)

    assert newer in shown(f"{older}\n{older}\n{newer}")
    assert shown(f"{newer} [SEP] {older} [SEP] {older}").startswith(newer)
    assert all(window_of(tokenizer, [""], window))


@pytest.mark.parametrize(
    "conversation", ["hello there\n{}", "hello there\nwhat is it about?\n{}", "{} [SEP] hello there"]
)
def test_a_newest_turn_that_alone_is_too_long_keeps_both_ends_and_nothing_else(tokenizer, conversation):
    text = conversation.format(" ".join(NUMBERS))
    assert read(tokenizer, text) == "one two three four thirteen fourteen fifteen sixteen"


def test_the_encoder_and_stable_baselines3_read_the_same_part(tokenizer):
    encoder = TextEncoder(max_length=12, precision="fp32")
    older, newer = "the parcel never came " * 4, "now the card is lost and the account is open"
    texts = [older + "\n" + newer, "another matter altogether " * 4 + "\n" + newer + " again please", " ".join(NUMBERS)]
    ids = [TextToIds(tokenizer, 12)(text).tolist() for text in texts]
    assert ids == window_of(tokenizer, texts, 12)
    assert encoder.lengths(texts) == [12] * 3
    assert TextToIds(tokenizer, 12)("one").tolist() == [*tokenizer("one")["input_ids"], *[tokenizer.pad_token_id] * 9]
    vectors = encoder.embed(texts)
    shown = encoder.embed([tokenizer.decode(row[1:-1]) for row in ids])
    np.testing.assert_allclose(vectors, shown, atol=1e-5)


def test_a_dialogues_newest_turn_is_read_however_long_it_has_become():
    said = ["fine then", "my card was stolen"]
    answers = [["small talk " * 40, newest] for newest in said]
    env = DialogueEnv(
        ["good morning " * 30] * 2, ["Go on."], lambda row, taken: Reply(answers[row][len(taken) - 1], 0.0),
        max_turns=5, num_envs=2, shuffle=False,
    )  # fmt: skip
    env.reset(seed=0)
    for _ in range(2):
        states, *_ = env.step(np.zeros((2, 1), dtype=np.int64))
    first, second = TextEncoder(max_length=16).embed(states["text"])
    assert first @ second < 0.99  # cut at its end, both conversations were one and the same
