"""What the prediction endpoint takes and returns, for each kind of input."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from records.spec import InputKind

Cell = float | int | bool | str | None
"""One value of a row. Empty, missing or null: a missing value."""
LOWEST_COVERAGE, HIGHEST_COVERAGE = 0.5, 0.999
COVERAGE = "How often a set of classes, or an interval, is to hold what is true: the answer gets one that is so large."
ABSTAIN = "Classes: an answer whose probability lies below is left out (label null, abstained true)."
STRANGER = "True where the input is unlike the examples that the model was made from; else it is left out."


class ImageInput(BaseModel):
    """One image in a JSON body."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(description="An encoded image (JPEG, PNG, WebP, BMP, GIF), as base64.")


class TextInput(BaseModel):
    """One text in a JSON body."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description="The text; what is beyond the model's limit of tokens is not read.")


class SeriesInput(BaseModel):
    """One series in a JSON body."""

    model_config = ConfigDict(extra="forbid")

    series: list[float | None | list[float | None]] = Field(
        description="A value for each step, or for each step a list with a value for each channel. null: missing."
    )


class RowInput(BaseModel):
    """One row of a table in a JSON body."""

    model_config = ConfigDict(extra="forbid")

    row: dict[str, Cell] = Field(description="Values by column. A column that is left out is missing.")


class ForecastInput(BaseModel):
    """The past of one series in a JSON body."""

    model_config = ConfigDict(extra="forbid")

    history: list[dict[str, Cell]] = Field(
        description="Rows by column, oldest first: the time, the target, and what else was known."
    )
    future: list[dict[str, Cell]] | None = Field(
        default=None, description="Rows for the steps to forecast: the columns whose future is known."
    )


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    top_k: int | None = Field(default=None, ge=1, description="How many classes to return; all when left out.")
    coverage: float | None = Field(default=None, ge=LOWEST_COVERAGE, le=HIGHEST_COVERAGE, description=COVERAGE)
    abstain_below: float | None = Field(default=None, ge=0.0, le=1.0, description=ABSTAIN)


class PredictRequest(_Request):
    """JSON body of `POST /predict` of a model of images."""

    inputs: list[ImageInput] = Field(min_length=1)


class TextRequest(_Request):
    """JSON body of `POST /predict` of a model of texts."""

    inputs: list[TextInput] = Field(min_length=1)


class SeriesRequest(_Request):
    """JSON body of `POST /predict` of a model of series."""

    inputs: list[SeriesInput] = Field(min_length=1)


class TableRequest(_Request):
    """JSON body of `POST /predict` of a model of rows."""

    inputs: list[RowInput] = Field(min_length=1)


class ForecastRequest(BaseModel):
    """JSON body of `POST /predict` of a model that forecasts."""

    model_config = ConfigDict(extra="forbid")

    inputs: list[ForecastInput] = Field(min_length=1)
    coverage: float | None = Field(default=None, ge=LOWEST_COVERAGE, le=HIGHEST_COVERAGE, description=COVERAGE)


REQUESTS: dict[InputKind, type[BaseModel]] = {
    InputKind.IMAGE: PredictRequest,
    InputKind.TEXT: TextRequest,
    InputKind.SERIES: SeriesRequest,
    InputKind.TABLE: TableRequest,
    InputKind.FORECAST: ForecastRequest,
}


class ClassProbability(BaseModel):
    """One class and how likely it is."""

    label: str
    probability: float = Field(ge=0.0, le=1.0)


class Prediction(BaseModel):
    """The class of one input."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(
        description="The answer: the most likely class, or what the model's threshold or costs decide. null: abstained."
    )
    probability: float = Field(ge=0.0, le=1.0, description="Of the answer, also of one that was left out.")
    classes: list[ClassProbability] = Field(description="The `top_k` most likely classes, most likely first.")
    set: list[str] | None = Field(
        default=None,
        description="With `coverage`: so many classes, most likely first, that the true one is among them as often.",
    )
    abstained: bool | None = Field(default=None, description="True where the probability is below `abstain_below`.")
    out_of_distribution: bool | None = Field(default=None, description=STRANGER)


class NumberPrediction(BaseModel):
    """The number for one input."""

    model_config = ConfigDict(extra="forbid")

    value: float
    low: float | None = Field(default=None, description="With `coverage`: where its interval begins.")
    high: float | None = Field(default=None, description="With `coverage`: where its interval ends.")
    out_of_distribution: bool | None = Field(default=None, description=STRANGER)


class ForecastPrediction(BaseModel):
    """The future of one series. All lists have one entry for each step of the horizon."""

    model_config = ConfigDict(extra="forbid")

    times: list[str] = Field(description="ISO 8601, or the step's number where the series has no dates.")
    values: list[float] = Field(description="The median.")
    quantiles: dict[str, list[float]] = Field(description='By quantile: "0.1", "0.5", "0.9".')
    low: list[float] | None = Field(default=None, description="With `coverage`: where each step's interval begins.")
    high: list[float] | None = Field(default=None, description="With `coverage`: where each step's interval ends.")
    out_of_distribution: bool | None = Field(default=None, description=STRANGER)


AnyPrediction = Prediction | NumberPrediction | ForecastPrediction


def written(value: BaseModel) -> dict[str, Any]:
    """An answer as a reply holds it: without the fields that nobody asked for. For `orjson.dumps(…, default=written)`,
    which is five times faster than pydantic."""
    if type(value) is ClassProbability:
        return vars(value)
    return {name: one for name, one in vars(value).items() if one is not None or name == "label"}


class PredictResponse(BaseModel):
    """Answers in the order of the inputs."""

    model: str = Field(description="`name:version`.")
    request_id: str = Field(default="", description="Also in the header `x-request-id`; the client's, if it gave one.")
    predictions: list[AnyPrediction]


class ErrorResponse(BaseModel):
    """Every reply of 400 and above."""

    error: str = Field(description="What is wrong, what was expected, what came.")


class ColumnDescription(BaseModel):
    """One column that a row, or a row of a history, may have."""

    name: str
    kind: str = Field(description="number, category, date, text, time or target.")
    values: list[str] = Field(default_factory=list, description="Categories: the known ones, most frequent first.")
    typical: Cell = Field(default=None, description="A usual value.")
    low: float | None = Field(default=None, description="Numbers: the smallest seen in training.")
    high: float | None = Field(default=None, description="Numbers: the largest seen in training.")


class Description(BaseModel):
    """`GET /describe`: what is served, and how good it was found to be."""

    model: str
    task: str
    input_kind: str
    input_shape: list[int]
    labels: list[str]
    target: str = ""
    columns: list[ColumnDescription] = Field(default_factory=list, description="Rows and histories: what they hold.")
    channels: list[str] = Field(default_factory=list, description="Series: the channels in their order.")
    horizon: int | None = None
    engine: str
    engine_settings: dict[str, float] = Field(
        default_factory=dict, description="How this worker uses the engine, as it measured: threads, lanes, batches."
    )
    created_at: str
    objective: str
    metrics: dict[str, Any] = Field(description="On the test split, each with its 95 % interval.")
    limits: dict[str, int]
    max_coverage: float | None = Field(default=None, description="The largest `coverage` that can be asked for.")
    honesty: dict[str, str] = Field(
        default_factory=dict, description="What this model knows of how sure it is, and what its answers can say of it."
    )
    sample: dict[str, Any] = Field(description="A request body for `/predict` that works as printed.")
