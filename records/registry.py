"""A registered model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVersion:
    """A row of the registry: the truth about which bundles exist."""

    name: str
    version: int
    """Counted from 1 for each name."""
    bundle_id: str
    """Its folder in BentoML's store is tagged `name:bundle_id`."""
    run_id: str
    checksum: str
    """SHA-256 of the bundle's `checksums.json`."""
    created_at: str
    """ISO 8601, UTC."""
    summary: dict[str, Any] = field(default_factory=dict)
    """What a list shows: objective, its figure, space, size, latency."""

    @property
    def ref(self) -> str:
        return f"{self.name}:{self.version}"
