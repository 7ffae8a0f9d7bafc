"""What each route of ours does with a whole request. One function for each name in `serving.routes`."""

from __future__ import annotations

import logging
from collections.abc import Callable

import orjson

from records.api import written
from records.errors import InputError, KerasmithError
from serving.feedback import take_feedback
from serving.inference_protocol import metadata
from serving.inference_protocol.infer import infer
from serving.messages import Reply, Request, error_reply
from serving.observing.operations import alive, metrics, ready
from serving.parsing.bodies import parse_request
from serving.served import Served

logger = logging.getLogger("kerasmith.serving")

Handler = Callable[[Served, Request], Reply]


def show_page(served: Served, request: Request) -> Reply:
    """A reply that was made when the model was loaded."""
    return served.pages[request.path]


def predict(served: Served, request: Request) -> Reply:
    """Parses, encodes, infers, decodes. All the work of a prediction, in one thread."""
    assert served.bundle is not None  # requests are let in only after `load`
    check_ref(served, request.captured.get("ref"))
    kind = served.bundle.codec.kind
    asked = parse_request(request.content_type, request.query, request.body, kind, served.limits.max_inputs)
    options = asked.options.over(served.defaults)
    predictions = served.bundle.predict(asked.raws, options, served.limits.decode_seconds)
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
    "predict": predict,
    "ready": ready,
    "feedback": take_feedback,
    "v2_server": metadata.show_server,
    "v2_live": metadata.show_live,
    "v2_ready": metadata.show_ready,
    "v2_model": metadata.show_model,
    "v2_model_ready": metadata.show_model_ready,
    "v2_infer": infer,
}


def answer(served: Served, handler: str, request: Request) -> Reply:
    """What the handler says; what goes wrong in it becomes a reply with a sentence.

    Args:
        served: The model.
        handler: A key of `HANDLERS`.
        request: To answer.
    """
    try:
        return HANDLERS[handler](served, request)
    except InputError as error:
        return error_reply(str(error), error.status)
    except KerasmithError as error:
        logger.error("%s", error, extra={"request_id": request.id})
        return error_reply(str(error), 500, reason=type(error).__name__)
    except Exception as error:
        logger.exception("A request failed.", extra={"request_id": request.id})
        return error_reply("The model failed on this input. The server's log says why.", 500, (), type(error).__name__)
