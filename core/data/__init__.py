"""Readers, splits and batches."""
