"""What each route of ours does with a whole request. One function for each name in `serving.routes`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
import orjson

from records.api import written
from records.errors import InputError, KerasmithError
from serving.encoding import is_light
from serving.feedback import take_feedback
from serving.inference_protocol import metadata
from serving.inference_protocol.infer import infer
from serving.messages import Reply, Request, error_reply
from serving.observing.operations import alive, metrics, ready
from serving.parsing.bodies import parse_request
from serving.served import Served
from serving.working import Working, drive, work_off

logger = logging.getLogger("kerasmith.serving")

Handler = Callable[[Served, Request], Reply]
Worker = Callable[[Served, Request], Working[Reply]]


def show_page(served: Served, request: Request) -> Reply:
    """A reply that was made when the model was loaded."""
    return served.pages[request.path]


def predict(served: Served, request: Request) -> Working[Reply]:
    """Parses, encodes, infers, decodes: all the work of a prediction."""
    assert served.bundle is not None  # requests are let in only after `load`
    check_ref(served, request.captured.get("ref"))
    kind = served.bundle.codec.kind
    asked = parse_request(request.content_type, request.query, request.body, kind, served.limits.max_inputs)
    options = asked.options.over(served.defaults)
    light = is_light(served.bundle.codec, len(request.body))
    predictions = yield from served.bundle.predicting(asked.raws, options, served.limits.decode_seconds, light)
    # a `PredictResponse`, five times faster than pydantic writes one
    told = {"model": served.ref, "request_id": request.id, "predictions": predictions}
    return Reply(200, orjson.dumps(told, default=written), num_inputs=len(predictions))


def check_ref(served: Served, ref: str | None) -> None:
    """Whether an address names the model that is served: by its name, or by name and version.

    Raises:
        InputError: It is another one (404).
    """
    if ref is not None and ref not in (served.name, served.ref):
        raise InputError(f"There is no model {ref[:80]!r} here. Expected {served.ref} or {served.name}.", 404)


HANDLERS: dict[str, Handler] = {
    "alive": alive,
    "metrics": metrics,
    "page": show_page,
    "ready": ready,
    "feedback": take_feedback,
    "v2_server": metadata.show_server,
    "v2_live": metadata.show_live,
    "v2_ready": metadata.show_ready,
    "v2_model": metadata.show_model,
    "v2_model_ready": metadata.show_model_ready,
}
"""What answers at once."""
WORKERS: dict[str, Worker] = {"predict": predict, "v2_infer": infer}
"""What asks the network, step by step: see `serving.working`."""


def answer(served: Served, handler: str, request: Request) -> Reply:
    """What the handler says; what goes wrong in it becomes a reply with a sentence.

    Args:
        served: The model.
        handler: A key of `HANDLERS` or `WORKERS`.
        request: To answer.
    """
    try:
        if handler in HANDLERS:
            return HANDLERS[handler](served, request)
        return work_off(WORKERS[handler](served, request), served.run)
    except Exception as error:
        return failure(error, request)


def go_on(work: Working[Reply], asked: Sequence[np.ndarray] | None, served: Served, request: Request) -> Reply:
    """As `answer`, from where the work stands."""
    try:
        return drive(work, served.run, asked)
    except Exception as error:
        return failure(error, request)


def failure(error: Exception, request: Request) -> Reply:
    """The reply to a request that a handler failed on."""
    if isinstance(error, InputError):
        return error_reply(str(error), error.status)
    if isinstance(error, KerasmithError):
        logger.error("%s", error, extra={"request_id": request.id})
        return error_reply(str(error), 500, reason=type(error).__name__)
    logger.error("A request failed.", exc_info=error, extra={"request_id": request.id})
    return error_reply("The model failed on this input. The server's log says why.", 500, (), type(error).__name__)
