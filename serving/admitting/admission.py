"""Whether a model may be served at all: decided once, before there are workers to load it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from records.errors import BundleError, KerasmithError
from serving.admitting.limited import admit
from serving.beside import name_model
from serving.settings import Settings


def admit_model() -> None:
    """Ends this process, with one sentence and an exit code, when its model is not to be served.

    A model that `kerasmith serve` found in the registry, and whose checksum it has verified, is ours. Any other, also
    one of a Bento, is tried in a limited process. From then on its workers know it by its checksum, and load no other.
    """
    name_model()
    try:
        settings = Settings.from_environment()
        if settings.checksum is None or settings.failure_file is None:
            os.environ["KERASMITH_MODEL_CHECKSUM"] = _admitted(settings)
    except KerasmithError as error:
        if note := os.environ.get("KERASMITH_FAILURE_FILE"):
            Path(note).write_text(str(error), "utf-8")
        else:
            print(f"kerasmith: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)


def _admitted(settings: Settings) -> str:
    checksum = admit(settings.folder)
    if settings.checksum not in (None, checksum):
        raise BundleError(
            f"The bundle {settings.folder} is not the one that was registered as {settings.ref}: its checksums changed."
        )
    return checksum
