"""Who asks: accounts, keys, sessions, and the middleware that turns strangers away."""
