"""Inference: batches, engine processes, metrics and drift detection."""
