"""Puts together what every trial of a run shares."""

from __future__ import annotations

from pipelines.backend import keep_tensorflow_out
from pipelines.trial import Workbench
from records.config import RunConfig
from records.data import Prepared
from records.task import Task
from search_spaces.catalog import open_spaces
from store.home import Home


def open_bench(config: RunConfig, prepared: Prepared, task: Task, home: Home) -> tuple[Workbench, list[str]]:
    """The workbench of a run, and a sentence for each thing that was left out.

    Raises:
        ConfigError: An unknown space or backbone.
    """
    keep_tensorflow_out()  # before anything is built
    spaces, left_out = open_spaces(config, prepared.spec)
    return Workbench(prepared=prepared, task=task, spaces=spaces, home=home), left_out
