"""Models at work: batches, processes of their own, metrics, drift, queue workers."""
