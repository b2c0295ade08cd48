"""Several lists in one visit: a model of visitors, what a visit tells, and lists that heed it (`docs/sessions.md`)."""
