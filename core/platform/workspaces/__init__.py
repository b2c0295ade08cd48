"""Workspaces that are made, trained and published by whoever administers a server."""
