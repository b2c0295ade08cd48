"""Questions made from the articles' own titles and sentences, for articles that no customer has asked about yet.

They teach to find the article that a text is about, and tell how well that is done, before there is a customer: a
title, alone or in a frame such as "I need help with ..."; of a sentence of the article half of its words, those that
are no stop words, or a few of these. Sentences as stand-ins for questions are the inverse cloze task (Lee, Chang &
Toutanova 2019, https://arxiv.org/abs/1906.00300). Customers use other words, so real questions are harder.

Articles are dealt to the splits whole: what validation and test ask about, training has never asked about.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from apps.customer_service.data import MADE, Article, LoggedConversation, LoggedTurn, Utterance
from apps.customer_service.general import general_openings
from core.data.splits import SPLITS, Split, split_randomly
from core.util.sentences import sentences

_QUESTIONS, _MOST_QUESTIONS = 5, 4_000
_ARTICLES_A_VAGUE_CUSTOMER = 5
_FRAMES = (
    "{}?", "how does {} work", "I have a question about {}", "I need help with {}", "what can you tell me about {}?",
    "what is the rule for {}", "can you explain {}", "{} how",
)  # fmt: skip
_CHINESE_FRAMES = ("{}？", "请问{}怎么办", "我想了解{}", "{}是怎么回事", "关于{}我有个问题")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_SENTENCE = range(12, 240)


def made_questions(
    articles: Sequence[Article], asked: Collection[str] = (), seed: int = 0
) -> tuple[list[Utterance], list[LoggedConversation]]:
    """Messages that ask for articles, and conversations that open vaguely before they do.

    Args:
        articles: Articles that customers have asked about seldom or never; those of one intent are asked about
            together.
        asked: Intents that customers have asked about; what is made for them is for training.
        seed: Seed of all choices.
    """
    by_intent: dict[str, list[Article]] = {}
    for article in articles:
        by_intent.setdefault(article.intent, []).append(article)
    generator = np.random.default_rng(seed)
    endings = Counter(_ending(group[0].title) for group in by_intent.values())
    each = min(_QUESTIONS, max(1, _MOST_QUESTIONS // max(1, len(by_intent))))
    messages: list[Utterance] = []
    conversations: list[LoggedConversation] = []
    for at, (intent, split) in enumerate(_dealt(by_intent, asked, seed).items()):
        title = by_intent[intent][0].title
        # "Options" alone asks for nothing where several documents have options.
        subject = _ending(title) if endings[_ending(title)] == 1 else title
        texts = _questions(subject, by_intent[intent], generator)[:each]
        messages += [
            Utterance(id=f"{intent} {number}", text=text, intents=[intent], kind=MADE, split=split)
            for number, text in enumerate(texts)
        ]
        if at % _ARTICLES_A_VAGUE_CUSTOMER == 0:
            openings = general_openings(split)
            said = [openings[generator.integers(len(openings))], texts[0]]
            turns = [LoggedTurn(role="customer", text=text) for text in said]
            conversations.append(
                LoggedConversation(id=f"{intent} {MADE}", intent=intent, opening="vague", split=split, turns=turns)
            )
    # Questions about one article do not stand side by side, so that each part of them is like the whole.
    return [messages[at] for at in generator.permutation(len(messages))], conversations


def _dealt(by_intent: Mapping[str, Sequence[Article]], asked: Collection[str], seed: int) -> dict[str, Split]:
    """The split of each intent; of those that nobody has asked about, near-duplicates are in one split."""
    from datasets import Dataset

    split_of: dict[str, Split] = {intent: "train" for intent in by_intent if intent in asked}
    new = [intent for intent in by_intent if intent not in asked]
    if len(new) < len(SPLITS):
        return {**split_of, **dict.fromkeys(new, SPLITS[0])}
    texts = ["\n".join(article.text for article in by_intent[intent]) for intent in new]
    splits = split_randomly(Dataset.from_dict({"intent": new, "text": texts}), text="text", seed=seed)
    return {**split_of, **{intent: split for split, rows in splits.items() for intent in rows["intent"]}}


def _questions(subject: str, articles: Sequence[Article], generator: np.random.Generator) -> list[str]:
    """Different questions about articles of one intent, in random order."""
    asked = [subject]
    if not subject.endswith(("?", "？")):
        asked.append(_framed(subject[:1].lower() + subject[1:], generator))
    known = [each for article in articles for each in sentences(article.body) if len(each) in _SENTENCE]
    picked = [known[at] for at in generator.permutation(len(known))[:3]]
    for words, sentence in zip((_half, _telling, _few), picked, strict=False):
        asked.append(words(sentence, generator))
    different = list(dict.fromkeys(asked))
    return [different[at] for at in generator.permutation(len(different))]


def _half(sentence: str, generator: np.random.Generator) -> str:
    return _some(sentence.lower().split(), 0.5, generator)


def _telling(sentence: str, generator: np.random.Generator) -> str:
    del generator
    return " ".join(word for word in sentence.lower().split() if word not in ENGLISH_STOP_WORDS) or sentence


def _few(sentence: str, generator: np.random.Generator) -> str:
    return _framed(_some(_telling(sentence, generator).split(), 0.4, generator), generator)


def _some(words: Sequence[str], share: float, generator: np.random.Generator) -> str:
    kept = sorted(generator.permutation(len(words))[: math.ceil(share * len(words))])
    return " ".join(words[at] for at in kept)


def _framed(subject: str, generator: np.random.Generator) -> str:
    frames = _CHINESE_FRAMES if _CHINESE.search(subject) else _FRAMES
    return frames[generator.integers(len(frames))].format(subject)


def _ending(title: str) -> str:
    """The heading in a title of the form `document: heading`."""
    return title.rpartition(": ")[2]
