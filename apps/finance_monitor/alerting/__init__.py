"""When to alert: a company's course of stories, what may be decided on it, and how that is learnt."""
