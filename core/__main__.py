"""`python -m core` is the `steer` command."""

from core.cli.main import main

main()
