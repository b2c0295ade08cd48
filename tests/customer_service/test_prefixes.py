"""Articles and questions reach retrieval with the prefixes that the encoder was made with."""

import numpy as np

from apps.customer_service.knowledge import Knowledge
from apps.customer_service.reading import read_support_data
from apps.customer_service.task import CustomerService
from core.models.encoder import TextEncoder
from tests.core.encoder_families import write_family


def test_articles_are_read_as_documents_and_messages_as_questions(tmp_path, monkeypatch):
    monkeypatch.setenv("STEER_CACHE_DIR", str(tmp_path / "cache"))
    name = str(write_family("BERT", tmp_path / "bert"))
    encoder, plain = (
        TextEncoder(name, precision="fp32", max_length=64, **prefixes)
        for prefixes in ({"query_prefix": "query: ", "document_prefix": "passage: "}, {})
    )
    knowledge = Knowledge(read_support_data(CustomerService.workspace), encoder)
    found = knowledge.find([("where is my parcel",)])

    articles = [knowledge.article(int(row)) for row in found.articles[0]]
    asked = plain.embed(["query: where is my parcel"])[0]
    titles = plain.embed([f"passage: {article.title}" for article in articles]) @ asked
    texts = plain.embed([f"passage: {article.text}" for article in articles]) @ asked
    np.testing.assert_allclose(found.features[0, :, 0], np.maximum(titles, texts), atol=1e-4)
