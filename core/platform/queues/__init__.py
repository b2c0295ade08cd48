"""Work and news between processes, on Redis Streams."""
