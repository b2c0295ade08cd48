"""Apps as the platform sees them: specification, opening, texts, and work on queues."""
