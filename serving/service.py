"""The BentoML service. BentoML gives processes, health and metrics; the endpoint in front of it answers.

What is served stands in the environment, because BentoML starts its workers by itself: see `serving.settings`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Any, cast

import bentoml
from _bentoml_sdk import Service
from bentoml._internal.server.http.traffic import TimeoutMiddleware

from records.errors import BundleError, KerasmithError
from serving.bundle import ModelBundle, open_bundle, verify
from serving.endpoint import Door, Endpoint, Served
from serving.lifeline import PARENT, end_with_parent
from serving.settings import Settings, num_workers

os.environ["BENTOML_DO_NOT_TRACK"] = "True"  # read when the server starts, not when it is imported

logger = logging.getLogger("kerasmith.serving")


def load(settings: Settings) -> ModelBundle:
    """The bundle, verified, loaded and tried on its own sample, which also warms it up.

    Raises:
        BundleError: It is damaged, or does not give the answer that it gave when it was packaged.
    """
    verify(settings.folder, settings.checksum)
    bundle = open_bundle(settings.folder)
    if not bundle.reproduces_sample():
        raise BundleError(
            f"{settings.ref} does not reproduce its own sample on this machine, so it is not served. "
            "Package it again here."
        )
    return bundle


class GuardedService(Service[Any]):
    """A service with the door outside of all of BentoML's layers, and without the one that limits time.

    That one keeps a timer and a task of every request for a minute; the endpoint limits the time of bodies itself.
    """

    def to_asgi(self, is_main: bool = True) -> Any:
        app: Any = super().to_asgi(is_main=is_main)
        app.user_middleware = [layer for layer in app.user_middleware if layer.cls is not TimeoutMiddleware]
        return Door(app)


served = Served()


@bentoml.service(
    name="kerasmith",
    service_class=GuardedService,
    workers=num_workers(),
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
class Kerasmith:
    """One model behind `/predict`."""

    def __init__(self) -> None:
        end_with_parent(int(os.environ.get(PARENT) or os.getppid()))
        settings = Settings.from_environment()
        try:
            served.load(load(settings), settings.ref)
        except Exception as error:
            if settings.failure_file is None:
                raise
            if not isinstance(error, KerasmithError):
                logger.exception("The model could not be loaded.")
            settings.failure_file.write_text(str(error) or type(error).__name__, "utf-8")
            os.kill(os.getppid(), signal.SIGTERM)
            sys.stderr.flush()
            os._exit(error.exit_code if isinstance(error, KerasmithError) else 1)


cast("Service[Any]", Kerasmith).add_asgi_middleware(Endpoint, served=served)
