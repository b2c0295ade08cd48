"""Reading of the ratings; the data themselves are fetched, not shipped."""
