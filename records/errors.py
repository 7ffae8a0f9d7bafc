"""What can go wrong in a way that a person can act on.

    KerasmithError          exit 1
    ├── ConfigError         exit 2   the request itself is wrong: a flag, a name, a path
    ├── DataError           exit 3   the data cannot be used as it is
    ├── BudgetError         exit 4   the time given is too short for any result
    ├── SearchFailed        exit 5   no trial gave a model
    ├── BundleError         exit 6   a model's bundle is damaged, foreign or missing
    ├── StoreError          exit 7   the database or the home folder cannot be used
    ├── BusyError           exit 8   another process holds what is needed
    └── InputError          exit 9   one raw example is not what it should be (HTTP: 400, 413 or 422)

Each message is one sentence or two: what is wrong, what was expected, what came, what to do.
"""


class KerasmithError(Exception):
    """Base of every error that is shown as a sentence instead of a traceback."""

    exit_code = 1


class ConfigError(KerasmithError):
    """The request is wrong."""

    exit_code = 2


class DataError(KerasmithError):
    """The data cannot be used as it is."""

    exit_code = 3


class BudgetError(KerasmithError):
    """The time given is too short for any result."""

    exit_code = 4


class SearchFailed(KerasmithError):
    """No trial gave a model."""

    exit_code = 5


class BundleError(KerasmithError):
    """A bundle is damaged, foreign or missing."""

    exit_code = 6


class StoreError(KerasmithError):
    """The database or the home folder cannot be used."""

    exit_code = 7


class BusyError(KerasmithError):
    """Another process holds what is needed."""

    exit_code = 8


class InputError(KerasmithError):
    """One raw example is not what it should be. Preparing leaves the example out; serving answers with `status`."""

    exit_code = 9

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status
