"""Authentication: accounts, API keys, sessions, and the middleware that refuses everybody else."""
