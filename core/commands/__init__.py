"""The parts of the `steer` command that have verbs of their own."""
