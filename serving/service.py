"""The BentoML service. BentoML gives the process and its life; the endpoint in front of it answers.

What is served stands in the environment, because BentoML starts its workers by itself: see `serving.settings`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Any

import bentoml
from _bentoml_sdk import Service

from records.errors import BundleError, KerasmithError
from serving.admitting.admission import admit_model
from serving.admitting.limited import capped, most_bytes
from serving.beside import name_model
from serving.bundle import ModelBundle, open_bundle, verify
from serving.endpoint import Endpoint
from serving.feedback_files import FeedbackFolder
from serving.guarding.connections import Connection
from serving.guarding.door import Door
from serving.guarding.draining import drained
from serving.guarding.guard import Guard
from serving.guarding.protecting import protect
from serving.guarding.tokens import find_tokens
from serving.lifeline import PARENT, end_with_parent
from serving.observing.logs import RequestLog, set_up
from serving.observing.observer import Observer
from serving.observing.tracing import configured_tracing
from serving.served import Served
from serving.settings import Settings, num_workers
from serving.tuning import tuned

os.environ["BENTOML_DO_NOT_TRACK"] = "True"  # read when the server starts, not when it is imported
name_model()

logger = logging.getLogger("kerasmith.serving")


def load(settings: Settings) -> ModelBundle:
    """The bundle, verified, loaded and tried on its own sample, which also warms it up; then its engine is measured.

    Raises:
        BundleError: It is damaged, or does not give the answer that it gave when it was packaged.
    """
    manifest = verify(settings.folder, settings.checksum)
    with capped(most_bytes(settings.folder, manifest.engine)):
        bundle = open_bundle(settings.folder)
        reproduced = bundle.reproduces_sample()
    if not reproduced:
        raise BundleError(
            f"{settings.ref} does not reproduce its own sample on this machine, so it is not served. "
            "Package it again here."
        )
    return tuned(bundle)


class GuardedService(Service[Any]):
    """A service with our endpoint in place of BentoML's layers.

    BentoML's application is left with the start and the end of the process. Its layers (traffic metrics, tracing, time
    limit, context) would only see requests that nobody answers; the one that limits time keeps a timer and a task of
    every request for a minute.
    """

    def to_asgi(self, is_main: bool = True) -> Any:
        app: Any = super().to_asgi(is_main=is_main)
        app.user_middleware = []
        settings = Settings.from_environment()
        try:
            return make_endpoint(app, settings)
        except Exception as error:
            end_server(settings, error)
            raise


served = Served()


def make_endpoint(app: Any, settings: Settings) -> Endpoint:
    """The application of this worker: guarded, counted, and logged and traced where it is asked for.

    Args:
        app: BentoML's.
        settings: Of the server.

    Raises:
        ConfigError: The tokens cannot be read, or connections cannot be guarded with this version of uvicorn.
    """
    from serving.observing.metrics import Metrics  # here, because it makes its files where it is imported

    set_up(as_json=settings.options.log_requests)
    served.limits = settings.options.limits()
    served.metrics = Metrics()
    log = RequestLog(served) if settings.options.log_requests else None
    observer = Observer(served.metrics, log, configured_tracing(served))
    protect(served.limits)
    Connection.heard = observer.refused
    tokens = find_tokens(os.environ)
    served.tokens = tokens is not None
    guard = Guard(served.limits, tokens)
    # who has no token must not learn how busy it is, and what is logged needs the whole request
    if tokens is None and observer.counts_only:
        Connection.door = Door(guard, served, observer.turned_away)
    return Endpoint(drained(app, guard, served.limits), served, guard, observer)


def end_server(settings: Settings, error: Exception) -> None:
    """Ends this worker and its server, and leaves the reason where the command looks; returns where nobody does."""
    if settings.failure_file is None:
        return
    if not isinstance(error, KerasmithError):
        logger.exception("The model could not be loaded.")
    settings.failure_file.write_text(str(error) or type(error).__name__, "utf-8")
    os.kill(os.getppid(), signal.SIGTERM)
    sys.stderr.flush()
    os._exit(error.exit_code if isinstance(error, KerasmithError) else 1)


@bentoml.service(
    name="kerasmith",
    service_class=GuardedService,
    workers=num_workers(),
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
    metrics={"enabled": False},
)
class Kerasmith:
    """One model behind `/predict`."""

    @bentoml.on_deployment
    def admitted() -> None:  # BentoML makes it a static method
        """Runs in the server's first process, before there are workers."""
        admit_model()

    def __init__(self) -> None:
        end_with_parent(int(os.environ.get(PARENT) or os.getppid()))
        settings = Settings.from_environment()
        try:
            if settings.feedback_folder is not None:
                served.feedback = FeedbackFolder(settings.feedback_folder)
            bundle = load(settings)
            served.defaults = settings.options.defaults()
            bundle.honesty.check(served.defaults)
            served.load(bundle, settings.ref)
            if served.metrics is not None:
                served.metrics.ready(True)
        except Exception as error:
            end_server(settings, error)
            raise
