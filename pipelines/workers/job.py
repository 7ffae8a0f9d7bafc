"""The message that starts a worker process: one JSON file, no pickle."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.costs import Costs
from pipelines.governor import Governor
from records.config import RunConfig
from store.files import write_atomically


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
    costs: Costs
    threads: int
    """Cores: of all workers as `supervise` gets it, of one as it gets its file."""
    memory_bytes: int = 2**63 - 1
    """That one worker may use. `supervise` fills this in, and the number of workers."""
    workers: int = 1

    def write(self, path: Path) -> None:
        """Writes the file that `read` reads.

        Raises:
            StoreError: The disk is full, or the folder cannot be written.
        """
        write_atomically(path, json.dumps(asdict(self), default=str).encode())

    def governor(self) -> Governor:
        """The run's clock."""
        return Governor(
            started=self.started,
            deadline=self.deadline,
            num_test=self.num_test,
            refit_examples_factor=self.refit_examples_factor,
            costs=self.costs,
        )


def read(path: Path) -> Job:
    """The job that `Job.write` wrote."""
    fields: dict[str, Any] = json.loads(path.read_text("utf-8"))
    costs = Costs(**{**fields["costs"], "package_factors": tuple(fields["costs"]["package_factors"])})
    return Job(**{**fields, "config": config_from_json(fields["config"]), "costs": costs})


def config_from_json(fields: dict[str, Any]) -> RunConfig:
    """A `RunConfig` from what `dataclasses.asdict` and JSON made of it."""
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
    return RunConfig(**{**values, "data_dir": Path(values["data_dir"]) if values["data_dir"] else None})
