"""Which models exist. A bundle without a row here is garbage; the row is written last."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Engine, func, insert, select

from records.errors import ConfigError
from records.registry import ModelVersion
from store.database import locked, reading
from store.rows import to_model
from store.schema import models

# BentoML refuses tags that end in - or _
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")


def check_name(name: str) -> str:
    """The name itself, when a model may be called so.

    Raises:
        ConfigError: It may not.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "A model's name has at most 63 lower-case letters, digits, - and _, and begins and ends with a letter or "
            f"digit. Received: {name!r}."
        )
    return name


class Registry:
    """Names, versions and bundles."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register(
        self, name: str, bundle_id: str, run_id: str, checksum: str, summary: dict[str, Any] | None = None
    ) -> ModelVersion:
        """Gives the bundle the name's next version. A bundle that has one already keeps it.

        Raises:
            ConfigError: A model may not be called `name`.
            ValueError: The bundle is registered with another name or checksum.
        """
        check_name(name)
        with locked(self._engine) as connection:
            there = connection.execute(select(models).where(models.c.bundle_id == bundle_id)).one_or_none()
            if there is not None:
                if (there.name, there.checksum) != (name, checksum):
                    raise ValueError(
                        f"Bundle {bundle_id} is {there.name}:{there.version} with checksum {there.checksum} already. "
                        f"Received: {name} with checksum {checksum}."
                    )
                return to_model(there)
            connection.execute(
                insert(models).values(
                    name=name,
                    version=_next(connection, models.c.version, models.c.name == name),
                    sequence=_next(connection, models.c.sequence),
                    bundle_id=bundle_id,
                    run_id=run_id,
                    checksum=checksum,
                    created_at=datetime.now(UTC).isoformat(),
                    summary=summary or {},
                )
            )
            return to_model(connection.execute(select(models).where(models.c.bundle_id == bundle_id)).one())

    def resolve(self, ref: str | None = None) -> ModelVersion:
        """The model that is meant: `name:3`; `name`, its newest version; `None`, the newest of all.

        Raises:
            ConfigError: There is no such model.
        """
        name, colon, version = (None, "", "") if ref is None else ref.partition(":")
        found = self.versions(name)
        if colon:
            found = [model for model in found if str(model.version) == version]
        if not found:
            raise ConfigError(self._unknown(ref))
        return found[0]

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """All versions of one name or of every name, newest first."""
        query = select(models).order_by(models.c.sequence.desc())
        if name is not None:
            query = query.where(models.c.name == name)
        with reading(self._engine) as connection:
            return [to_model(row) for row in connection.execute(query)]

    def bundle_ids(self) -> set[str]:
        """Of every registered bundle; all others are garbage."""
        with reading(self._engine) as connection:
            return set(connection.execute(select(models.c.bundle_id)).scalars())

    def _unknown(self, ref: str | None) -> str:
        newest: dict[str, ModelVersion] = {}
        for model in self.versions():
            newest.setdefault(model.name, model)
        if not newest:
            return "No model is registered yet. Make one: kerasmith run DATA."
        known = ", ".join(model.ref + (" and older" if model.version > 1 else "") for model in newest.values())
        return f"There is no model {ref!r}. Expected NAME or NAME:VERSION. Known: {known}."


def _next(connection: Connection, column: Column[int], *where: ColumnElement[bool]) -> int:
    highest: int | None = connection.execute(select(func.max(column)).where(*where)).scalar_one()
    return 1 if highest is None else highest + 1
