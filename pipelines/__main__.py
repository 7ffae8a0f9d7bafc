"""`python -m pipelines` is the command `kerasmith`."""

from pipelines.cli import main

main()
