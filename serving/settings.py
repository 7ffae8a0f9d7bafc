"""What a server serves, as its processes hand it on: in the environment, because BentoML starts its own workers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from records.errors import ConfigError
from serving.limits import Limits
from serving.parsing.parameters import Options

MAX_WORKERS = 64
MAX_CONCURRENT = 10_000
MAX_BODY_MEGABYTES = 10_000


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """How a server is to serve, whatever the model. The flags of `kerasmith serve`."""

    tokens_file: Path | None = None
    """One token on each line; `None`: everybody who reaches the port may ask."""
    max_concurrent: int | None = None
    """Requests that one worker answers or keeps waiting; `None`: the default of `Limits`."""
    max_body_megabytes: float | None = None
    """Of one request; `None`: the default of `Limits`."""
    coverage: float | None = None
    """How often sets and intervals hold what is true, where a request does not say it; `None`: there are none then."""
    abstain_below: float | None = None
    """Answers of a lower probability are withheld, where a request does not say it; `None`: none."""
    log_requests: bool = False
    """A line of JSON for each request, on the standard error."""

    def check(self) -> None:
        """Raises `ConfigError` for what cannot be."""
        _check("max-concurrent", self.max_concurrent, 1, MAX_CONCURRENT)
        _check("max-body-mb", self.max_body_megabytes, 0.001, MAX_BODY_MEGABYTES)
        _check("coverage", self.coverage, 0.5, 0.999)
        _check("abstain-below", self.abstain_below, 0, 1)

    def defaults(self) -> Options:
        """How answers look where a request does not say it."""
        return Options(coverage=self.coverage, abstain_below=self.abstain_below)

    def limits(self) -> Limits:
        """The limits of a worker."""
        usual = Limits()
        body = usual.max_body_bytes if self.max_body_megabytes is None else int(self.max_body_megabytes * 1_000_000)
        return Limits(
            max_concurrent=self.max_concurrent or usual.max_concurrent,
            max_body_bytes=body,
            # a few of the largest bodies fit at once
            max_held_bytes=max(usual.max_held_bytes, 2 * body),
        )


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
    feedback_folder: Path | None = None
    """Where true answers are kept that are told later; `None`: they are not taken."""
    failure_file: Path | None = None
    """Where a worker that cannot serve says why; then it ends the whole server instead of being restarted for ever."""
    options: ServeOptions = field(default_factory=ServeOptions)

    def absolute(self) -> Settings:
        """The same for a process that stands in another folder."""
        tokens, feedback = self.options.tokens_file, self.feedback_folder
        return replace(
            self,
            folder=self.folder.absolute(),
            feedback_folder=feedback.absolute() if feedback else None,
            options=replace(self.options, tokens_file=tokens.absolute() if tokens else None),
        )

    def to_environment(self) -> dict[str, str]:
        """As environment variables."""
        options = self.options
        values = {
            "KERASMITH_MODEL_FOLDER": self.folder,
            "KERASMITH_MODEL_REF": self.ref,
            "KERASMITH_MODEL_CHECKSUM": self.checksum,
            "KERASMITH_WORKERS": self.workers,
            "KERASMITH_FEEDBACK_FOLDER": self.feedback_folder,
            "KERASMITH_FAILURE_FILE": self.failure_file,
            "KERASMITH_TOKENS_FILE": options.tokens_file,
            "KERASMITH_MAX_CONCURRENT": options.max_concurrent,
            "KERASMITH_MAX_BODY_MB": options.max_body_megabytes,
            "KERASMITH_COVERAGE": options.coverage,
            "KERASMITH_ABSTAIN_BELOW": options.abstain_below,
            "KERASMITH_LOG_REQUESTS": 1 if options.log_requests else None,
        }
        return {name: str(value) for name, value in values.items() if value is not None and value != ""}

    @classmethod
    def from_environment(cls) -> Settings:
        """What `to_environment` wrote.

        Raises:
            ConfigError: No model is named, or a value is not what it should be.
        """
        named = os.environ
        folder = named.get("KERASMITH_MODEL_FOLDER")
        if not folder:
            raise ConfigError("No model is named. Start the server with `kerasmith serve`.")
        options = ServeOptions(
            tokens_file=_path(named, "KERASMITH_TOKENS_FILE"),
            max_concurrent=_whole(named, "KERASMITH_MAX_CONCURRENT"),
            max_body_megabytes=_number(named, "KERASMITH_MAX_BODY_MB"),
            coverage=_number(named, "KERASMITH_COVERAGE"),
            abstain_below=_number(named, "KERASMITH_ABSTAIN_BELOW"),
            log_requests=named.get("KERASMITH_LOG_REQUESTS", "").lower() in ("1", "true", "yes"),
        )
        options.check()
        return cls(
            folder=Path(folder),
            ref=named.get("KERASMITH_MODEL_REF") or Path(folder).name,
            checksum=named.get("KERASMITH_MODEL_CHECKSUM") or None,
            workers=num_workers(),
            feedback_folder=_path(named, "KERASMITH_FEEDBACK_FOLDER"),
            failure_file=_path(named, "KERASMITH_FAILURE_FILE"),
            options=options,
        )


def num_workers() -> int:
    """Worker processes, from the environment."""
    return _whole(os.environ, "KERASMITH_WORKERS") or 1


def _check(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:  # NaN too
        raise ConfigError(f"`{name}` must lie between {low:g} and {high:g}. Received: {value:g}.")


def _path(named: Mapping[str, str], name: str) -> Path | None:
    return Path(named[name]) if named.get(name) else None


def _whole(named: Mapping[str, str], name: str) -> int | None:
    number = _number(named, name)
    if number is not None and not number.is_integer():
        raise ConfigError(f"{name} must be a whole number. Received: {named[name][:80]!r}.")
    return None if number is None else int(number)


def _number(named: Mapping[str, str], name: str) -> float | None:
    text = named.get(name, "")
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{name} must be a number. Received: {text[:80]!r}.") from None
