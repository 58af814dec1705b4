"""`python -m gridops_cli`."""

from gridops_cli import main

main()
