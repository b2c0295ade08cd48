"""The `steer` command."""
