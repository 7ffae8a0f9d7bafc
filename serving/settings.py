"""What a server serves, as its processes hand it on: in the environment, because BentoML starts its own workers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from records.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a worker serves. `to_environment` and `from_environment` are each other's inverse."""

    folder: Path
    """Of the bundle."""
    ref: str
    """`name:version`, told in every answer."""
    checksum: str | None = None
    """What the registry knows of the bundle; `None`: its own list is believed."""
    workers: int = 1
    failure_file: Path | None = None
    """Where a worker that cannot serve says why; then it ends the whole server instead of being restarted for ever."""

    def to_environment(self) -> dict[str, str]:
        """As environment variables."""
        values = {
            "KERASMITH_MODEL_FOLDER": str(self.folder),
            "KERASMITH_MODEL_REF": self.ref,
            "KERASMITH_MODEL_CHECKSUM": self.checksum,
            "KERASMITH_WORKERS": str(self.workers),
            "KERASMITH_FAILURE_FILE": str(self.failure_file) if self.failure_file else None,
        }
        return {name: value for name, value in values.items() if value}

    @classmethod
    def from_environment(cls) -> Settings:
        """What `to_environment` wrote.

        Raises:
            ConfigError: No model is named.
        """
        folder = os.environ.get("KERASMITH_MODEL_FOLDER")
        if not folder:
            raise ConfigError("No model is named. Start the server with `kerasmith serve`.")
        failure_file = os.environ.get("KERASMITH_FAILURE_FILE")
        return cls(
            folder=Path(folder),
            ref=os.environ.get("KERASMITH_MODEL_REF") or Path(folder).name,
            checksum=os.environ.get("KERASMITH_MODEL_CHECKSUM") or None,
            workers=num_workers(),
            failure_file=Path(failure_file) if failure_file else None,
        )


def num_workers() -> int:
    """Worker processes, from the environment."""
    return int(os.environ.get("KERASMITH_WORKERS") or 1)
