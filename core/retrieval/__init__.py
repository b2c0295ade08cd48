"""Finding texts and items: dense vectors (FAISS), words (BM25), and their fusion."""
