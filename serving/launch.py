"""`python -m serving.launch …` is `bentoml …`, except that it ends when the process that started it does."""

from __future__ import annotations

import os
import sys

from serving.lifeline import PARENT, end_with_parent


def main() -> None:
    """Runs BentoML's command line with this process's arguments."""
    end_with_parent(int(os.environ[PARENT]))
    os.environ[PARENT] = str(os.getpid())  # the workers inherit it: this process is theirs
    from bentoml_cli.cli import cli

    sys.argv[0] = "bentoml"
    cli()


if __name__ == "__main__":
    main()
