"""Finds the articles that may answer a conversation.

Three rankings are fused: cosine to an article's title and body (FAISS), cosine to questions of the log that the article
answered (FAISS), and BM25 over both. The policy then decides among the best candidates, seeing every score.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from apps.customer_service.data import MADE, Article, SupportData
from core.models.encoder import TextEncoder
from core.retrieval.index import DenseIndex, WordIndex, reciprocal_rank_fusion

CANDIDATES = 20
FEATURES = 6
_NEIGHBOURS = 200

Messages = tuple[str, ...]


def said_once(messages: Messages) -> Messages:
    """The messages without those that only repeat an earlier one, which tell no more."""
    return tuple(dict.fromkeys(messages))


@dataclass(frozen=True)
class Found:
    """Candidates of several conversations.

    Attributes:
        articles: Row numbers of articles, best first, int64 of shape (conversations, candidates); -1 where there are
            no more.
        features: Features of each candidate, float32 of shape (conversations, candidates, FEATURES): cosine to the
            article, cosine to its nearest logged question, BM25 and fused score as shares of the best, margin of the
            question's cosine to the best one, inverse rank.
    """

    articles: np.ndarray
    features: np.ndarray


class Knowledge:
    """Searchable articles and the questions of the log that they answered.

    Args:
        data: Articles, and the log, of which the training split is used.
        encoder: Frozen encoder, whose cosines are similarities.
    """

    def __init__(self, data: SupportData, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self.articles = [article for article in data.articles if article.intent not in data.hand_over_intents]
        encoder.preload(
            documents=[text for article in data.articles for text in (article.text, article.title)],
            queries=[utterance.text for utterance in data.utterances if utterance.split == "train"],
        )
        self.vectors = encoder.embed([article.text for article in self.articles], role="document")
        titles = encoder.embed([article.title for article in self.articles], role="document")
        self._passages = DenseIndex(np.concatenate([titles, self.vectors]))
        self._passage_owner = np.tile(np.arange(len(self.articles)), 2)
        self._questions, self._question_owner = self._answered_questions(data)
        self._question_index = DenseIndex(encoder.embed(self._questions))
        self._words = WordIndex([article.text for article in self.articles] + self._questions)
        self._word_owner = np.concatenate([np.arange(len(self.articles)), self._question_owner])
        self._known = {text: row for row, text in enumerate(self._questions)}

    def find(self, conversations: Sequence[Messages]) -> Found:
        """The best `CANDIDATES` articles for each conversation (the customer's messages, oldest first).

        A message that is itself in the log never finds itself, so training sees what serving will see. Who was asked
        back and says the title of an article has picked it, and finds nothing else.
        """
        scores = self._scores(conversations)
        fused = self._fused(scores)
        order = (-fused).argsort(axis=1, kind="stable")[:, :CANDIDATES]
        passage, question, words, best = (np.take_along_axis(s, order, axis=1) for s in (*scores, fused))
        share = 1.0 / np.arange(1, order.shape[1] + 1, dtype=np.float32)
        features = [
            passage,
            question,
            words / np.maximum(words.max(axis=1, keepdims=True), 1e-6),
            best / best.max(axis=1, keepdims=True),
            question - question.max(axis=1, keepdims=True),
            np.broadcast_to(share, order.shape),
        ]
        missing = ((0, 0), (0, CANDIDATES - order.shape[1]))
        found = np.pad(np.stack(features, axis=-1).astype(np.float32), (*missing, (0, 0)))
        articles = np.pad(order, missing, constant_values=-1)
        for row, messages in enumerate(conversations):
            if len(messages) > 1 and (picked := self._titled(articles[row], messages[-1])):
                there = np.arange(CANDIDATES) < len(picked)
                articles[row] = np.where(there, np.resize(articles[row, picked], CANDIDATES), -1)
                found[row] = np.where(there[:, None], np.resize(found[row, picked], (CANDIDATES, FEATURES)), 0.0)
        return Found(articles, found)

    def rankings(self, conversations: Sequence[Messages]) -> dict[str, np.ndarray]:
        """Article rows from best to worst under each method, for measuring recall."""
        passage, question, words = scores = self._scores(conversations)
        fused = self._fused(scores)
        dense = np.maximum(passage, question)
        methods = {"articles": passage, "dense": dense, "bm25": words, "fused": fused}
        return {name: (-scores).argsort(axis=1, kind="stable") for name, scores in methods.items()}

    def _scores(self, conversations: Sequence[Messages]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        # of too long ones the oldest lines are cut
        queries = ["\n".join(said_once(messages)) for messages in conversations]
        vectors = self.encoder.embed(queries)
        hidden = [[self._known[text] for text in messages if text in self._known] for messages in conversations]
        passage = self._best_of_owner(self._passages, self._passage_owner, vectors, [[] for _ in queries])
        question = self._best_of_owner(self._question_index, self._question_owner, vectors, hidden)
        words = np.zeros_like(passage)
        for row, scores in enumerate(self._words.scores(queries)):
            scores[[len(self.articles) + known for known in hidden[row]]] = 0
            np.maximum.at(words[row], self._word_owner, scores)
        return passage, question, words

    def _titled(self, candidates: np.ndarray, title: str) -> list[int]:
        """Places of the candidates that have a title."""
        return [at for at, row in enumerate(candidates) if row >= 0 and self.articles[row].title == title]

    def _fused(self, scores: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        passage, question, words = scores
        # Where nobody has asked anything yet, a ranking by what was asked would be one by row numbers.
        return reciprocal_rank_fusion([passage, question, words] if self._questions else [passage, words])

    def _best_of_owner(
        self, index: DenseIndex, owner: np.ndarray, vectors: np.ndarray, hidden: list[list[int]]
    ) -> np.ndarray:
        best = np.zeros((len(vectors), len(self.articles)), dtype=np.float32)
        scores, rows = index.search(vectors, _NEIGHBOURS)
        for at in range(len(vectors)):
            shown = ~np.isin(rows[at], hidden[at])
            np.maximum.at(best[at], owner[rows[at][shown]], scores[at][shown])
        return best

    def _answered_questions(self, data: SupportData) -> tuple[list[str], np.ndarray]:
        """Questions of the training split with one answerable intent, each with the article nearest to it.

        What was made of an article's own words is left out: it says no more than the article.
        """
        by_intent: dict[str, list[int]] = {}
        for row, article in enumerate(self.articles):
            by_intent.setdefault(article.intent, []).append(row)
        logged = [
            (utterance.text, by_intent[utterance.intents[0]])
            for utterance in data.utterances
            if utterance.split == "train"
            and utterance.kind != MADE
            and len(utterance.intents) == 1
            and utterance.intents[0] in by_intent
        ]
        texts = [text for text, _ in logged]
        vectors = self.encoder.embed(texts)
        owners = [
            rows[int((self.vectors[rows] @ vector).argmax())] for vector, (_, rows) in zip(vectors, logged, strict=True)
        ]
        return texts, np.array(owners, dtype=np.int64)

    def article(self, row: int) -> Article:
        """The article at a row number of `Found`."""
        return self.articles[row]


class ArticleTable(nn.Module):
    """Frozen article vectors by row number."""

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__()
        self.vectors: Tensor
        self.register_buffer("vectors", torch.from_numpy(vectors), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors of the articles at `rows`, shape (*rows.shape, width)."""
        return self.vectors[rows]
