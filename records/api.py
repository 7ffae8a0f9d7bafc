"""What the prediction endpoint takes and returns."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ImageInput(BaseModel):
    """One image in a JSON body."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(description="An encoded image (JPEG, PNG, WebP, BMP, GIF), as base64.")


class PredictRequest(BaseModel):
    """JSON body of `POST /predict`."""

    model_config = ConfigDict(extra="forbid")

    inputs: list[ImageInput] = Field(min_length=1)
    top_k: int | None = Field(default=None, ge=1, description="How many classes to return; all when left out.")


class ClassProbability(BaseModel):
    """One class and how likely it is."""

    label: str
    probability: float = Field(ge=0.0, le=1.0)


class Prediction(BaseModel):
    """The answer to one input."""

    label: str = Field(description="The most likely class.")
    probability: float = Field(ge=0.0, le=1.0)
    classes: list[ClassProbability] = Field(description="The `top_k` most likely classes, most likely first.")


class PredictResponse(BaseModel):
    """Answers in the order of the inputs."""

    model: str = Field(description="`name:version`.")
    predictions: list[Prediction]


class ErrorResponse(BaseModel):
    """Every reply of 400 and above."""

    error: str = Field(description="What is wrong, what was expected, what came.")


class Description(BaseModel):
    """`GET /describe`: what is served, and how good it was found to be."""

    model: str
    task: str
    input_kind: str
    input_shape: list[int]
    labels: list[str]
    engine: str
    created_at: str
    objective: str
    metrics: dict[str, Any] = Field(description="On the test split, each with its 95 % interval.")
    limits: dict[str, int]
    sample: dict[str, Any] = Field(description="A request body for `/predict` that works as printed.")
