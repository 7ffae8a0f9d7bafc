"""The message that starts a worker process: one JSON file, no pickle."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from records.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything a worker needs to join a run."""

    run_id: str
    home: str
    prepared: str
    config: RunConfig
    task: str
    objective: str
    started: float
    """Monotonic seconds, which all processes of a machine share."""
    deadline: float
    num_test: int
    refit_examples_factor: float
    threads: int

    def write(self, path: Path) -> None:
        """Writes the file that `read` reads."""
        path.write_text(json.dumps(asdict(self), default=str), "utf-8")


def read(path: Path) -> Job:
    """The job that `Job.write` wrote."""
    fields: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return Job(**{**fields, "config": config_from_json(fields["config"])})


def config_from_json(fields: dict[str, Any]) -> RunConfig:
    """A `RunConfig` from what `dataclasses.asdict` and JSON made of it."""
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
    return RunConfig(**{**values, "data_dir": Path(values["data_dir"]) if values["data_dir"] else None})
