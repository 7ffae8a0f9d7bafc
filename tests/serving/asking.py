"""Asking a served model without a server."""

from serving import handlers
from serving.messages import Reply, Request
from serving.served import Served


def answer(served: Served, content_type: str, query: bytes, body: bytes) -> Reply:
    """What `POST /predict` gets."""
    headers = {b"content-type": content_type.encode("latin-1")}
    request = Request(id="asked", method="POST", path="/predict", query=query, headers=headers, body=body)
    return handlers.answer(served, "predict", request)
