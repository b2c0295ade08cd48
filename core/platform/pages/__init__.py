"""The layout around the apps' pages, and what pages need of a request."""
