"""True answers that are told later: as they are sent, and as they are kept."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints

MAX_ITEMS = 1000
"""In one request."""
MAX_INDEX = 99_999
MAX_LABEL = 200
"""Characters of a class."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Of a request: it stands in logs and files, so it is short and plain."""

Number = Annotated[float, Field(allow_inf_nan=False), Strict()]
Label = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LABEL), Strict()]
Truth = Label | Number | list[Number]
"""A class, a number, or a number for each step of a forecast."""


class FeedbackItem(BaseModel):
    """The true answer to one input of an earlier request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request_id: str = Field(
        pattern=rf"^{REQUEST_ID.pattern}$", description="As the prediction's reply told it, in `request_id`."
    )
    index: int = Field(default=0, ge=0, le=MAX_INDEX, strict=True, description="Of the input in its request, from 0.")
    truth: Truth = Field(description="The class, also one that the model does not know; the number; or the numbers.")


class FeedbackResponse(BaseModel):
    """Answer of `POST /feedback`: everything that was told is on the disk."""

    model: str = Field(description="`name:version`.")
    request_id: str = Field(default="", description="Of this request, also in the header `x-request-id`.")
    kept: int = Field(description="True answers that were stored.")
    unknown: list[str] = Field(default_factory=list, description="Classes among them that the model does not know.")


class Feedback(BaseModel):
    """One true answer, as it is kept."""

    model_config = ConfigDict(frozen=True)

    time: str
    """When the server was told, ISO 8601 with microseconds, UTC."""
    model: str
    """`name:version` of the model that was served then."""
    request_id: str
    index: int
    truth: Truth
