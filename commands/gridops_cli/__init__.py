"""The `gridops` command: parse, one use case, render, exit code. Nothing heavy is imported before it is needed."""

import sys


def main() -> None:
    """Entry point of the installed script."""
    from gridops_cli.outcome import run_command

    sys.exit(run_command(sys.argv[1:]))
