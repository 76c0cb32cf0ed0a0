"""`python -m orchestrator.cli` is the command `orchestrator`: what it starts its own children with."""

from orchestrator.cli import main

main()
