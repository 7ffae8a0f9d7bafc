"""Checks of what a saved codec holds: a bundle may come from a stranger."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from records.errors import BundleError
from serving.codecs.cells import shown

Made = TypeVar("Made")


def values_of(cls: Any, saved: dict[str, Any]) -> dict[str, Any]:
    """The fields of a codec as `codec.json` holds them, without its kind; lists become tuples.

    Raises:
        BundleError: A field is missing or unknown, or the kind is another one.
    """
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in saved.items() if name != "kind"}
    known = {field.name for field in fields(cls)}
    if values.keys() != known or saved.get("kind") != cls.kind:
        raise BundleError(
            f"codec.json does not describe the codec of {cls.kind} data. Expected kind {cls.kind!r} and the fields "
            f"{', '.join(sorted(known))}. Received: {', '.join(sorted(saved))}."
        )
    return values


def check(right: bool, name: str, expected: str, received: object) -> None:
    """Raises a `BundleError` where a field of the column `name` is not right."""
    if not right:
        raise BundleError(
            f"codec.json is damaged: the column {name!r} has wrong {expected}. Received: {shown(received)}."
        )


def make(cls: type[Made], saved: Any, what: str) -> Made:
    """The record of class `cls` that a JSON object describes; lists become tuples.

    Raises:
        BundleError: A field is missing, unknown or wrong.
    """
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    if not isinstance(saved, dict) or saved.keys() != known:
        raise BundleError(f"codec.json is damaged: {what} needs the fields {', '.join(sorted(known))}. {_came(saved)}")
    try:
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in saved.items()})
    except (TypeError, ValueError) as error:
        raise BundleError(f"codec.json is damaged: {what} has a field of a wrong type ({error}).") from error


def _came(saved: Any) -> str:
    return (
        f"Received: {', '.join(sorted(map(str, saved)))}." if isinstance(saved, dict) else f"Received: {shown(saved)}."
    )
