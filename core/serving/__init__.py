"""The web application: one process, one port."""
