"""What every route of the web application shares: limits, errors, logs, health, idempotency, the chat protocol."""
