"""Run as a program, in a process of its own: asks BentoML to make a Bento of a folder.

BentoML keeps what it is configured with in its process, and imports the service that it packs. Here it finds the copy
that goes into the Bento, and nothing else of ours: so a module that was forgotten is missed now, not by a server.

Usage: python -P create.py CONTEXT OUT NAME VERSION DESCRIPTION
"""

import shutil
import sys

from bentoml._internal.bento.bento import Bento
from bentoml._internal.bento.build_config import BentoBuildConfig

SERVICE = "serving.service:Kerasmith"


def main(context: str, out: str, name: str, version: str, description: str) -> None:
    """Writes the Bento to `out`, which must not be there."""
    config = BentoBuildConfig(
        service=SERVICE, name=name, description=description, include=["**"], python={"lock_packages": False}
    )
    bento = Bento.create(config, version=version, build_ctx=context)
    shutil.copytree(bento.path, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
