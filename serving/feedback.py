"""`POST /feedback`: the true answers to earlier requests, checked against what the model answers, and kept."""

from __future__ import annotations

from typing import Any, NoReturn

import orjson
from pydantic import ValidationError

from records.errors import InputError
from records.feedback import MAX_ITEMS, FeedbackItem, FeedbackResponse
from records.task import TASKS, TargetKind
from serving.messages import Reply, Request
from serving.parsing.json_bodies import WORDS
from serving.parsing.parameters import short
from serving.served import Served

MAX_BODY_BYTES = 8_000_000
SHAPE = '{"request_id": "…", "index": 0, "truth": …}'
LONGEST_LIST = 20
"""Unknown classes that an answer names."""


def take_feedback(served: Served, request: Request) -> Reply:
    """Checks all, keeps all or none, and answers when they are on the disk.

    Raises:
        InputError: Not kept here (404), another type of body (415), not JSON (400), too much (413), not feedback for
            this model (422), or no space (507).
    """
    if served.feedback is None:
        raise InputError("Feedback is not kept here: this server was started without a folder for it.", 404)
    media_type = request.content_type.partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise InputError(
            f"The body's type is not taken. Expected application/json {SHAPE}. "
            f"Received: {short(media_type) or 'no type'!r}.",
            415,
        )
    items = parse_feedback(request.body)
    for number, item in enumerate(items):
        check_truth(item.truth, served, f"feedback {number}" if len(items) > 1 else "the feedback")
    served.feedback.keep(items, served.ref)
    answer = FeedbackResponse(
        model=served.ref, request_id=request.id, kept=len(items), unknown=_unknown(items, served)[:LONGEST_LIST]
    )
    return Reply(200, answer.model_dump_json().encode())


def parse_feedback(body: bytes) -> list[FeedbackItem]:
    """One, or a list of them.

    Raises:
        InputError: Not JSON (400), too much (413), or not feedback (422).
    """
    if len(body) > MAX_BODY_BYTES:
        raise InputError(f"The body is too large. Expected at most {MAX_BODY_BYTES} bytes.", 413)
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError(f"The body is not JSON: {error}. Expected {SHAPE}, or a list of them.", 400) from None
    several = type(told) is list
    entries = told if several else [told]
    if not entries:
        raise InputError(f"The list is empty. Expected {SHAPE}, or a list of them.")
    if len(entries) > MAX_ITEMS:
        raise InputError(f"Too much feedback in one request. Expected at most {MAX_ITEMS}. Send several requests.", 413)
    return [_item(entry, f"feedback {number}" if several else "the feedback") for number, entry in enumerate(entries)]


def check_truth(truth: str | float | list[float], served: Served, where: str) -> None:
    """Whether it is an answer that such a model gives. A class that the model does not know is one, too.

    Raises:
        InputError: It is not (422).
    """
    assert served.bundle is not None
    target = TASKS[served.bundle.manifest.task].target
    if target is TargetKind.CLASS and type(truth) is not str:
        _refuse(where, "the name of a class, a string", truth)
    if target is TargetKind.NUMBER and type(truth) not in (int, float):
        _refuse(where, "a number", truth)
    if target is TargetKind.FUTURE and (type(truth) is not list or len(truth) != served.horizon):
        _refuse(where, f"a list of {served.horizon} numbers, one for each step", truth)


def _refuse(where: str, expected: str, truth: Any) -> NoReturn:
    told = f"a list of {len(truth)}" if type(truth) is list else WORDS[type(truth)]
    raise InputError(f"In {where}, `truth` is not an answer of this model. Expected {expected}. Received: {told}.")


def _item(entry: Any, where: str) -> FeedbackItem:
    if type(entry) is not dict:
        raise InputError(f"Not feedback: {where} is {WORDS[type(entry)]}. Expected {SHAPE}.")
    try:
        return FeedbackItem.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = short(str(first["loc"][0]))
        if name == "truth" and "truth" in entry:
            reason = "expected a class of 1 to 200 characters, a finite number, or a list of finite numbers"
        else:
            reason = first["msg"]
        raise InputError(f"In {where}, `{name}` is wrong: {reason}. Expected {SHAPE}.") from None


def _unknown(items: list[FeedbackItem], served: Served) -> list[str]:
    assert served.bundle is not None
    known = set(served.bundle.manifest.labels)
    return sorted({item.truth for item in items if isinstance(item.truth, str)} - known)
