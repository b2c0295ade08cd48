"""Queues between processes, on Redis Streams."""
