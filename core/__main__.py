"""`python -m core` is the `steer` command."""

from core.cli import main

main()
