"""What a bundle says of itself: its manifest."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from records.evaluation import Evaluation
from records.task import MOST_LIKELY, Decision

FORMAT_VERSION = 1

MANIFEST = "manifest.json"
CODEC = "codec.json"
KERAS_MODEL = "model.keras"
ONNX_MODEL = "model.onnx"
LITERT_MODEL = "model.tflite"
CARD = "README.md"
REPORT = "report.html"
SAMPLE_REQUEST = "sample_request.json"
SAMPLE_ANSWER = "sample_answer.json"
REFERENCE = "reference.npz"
CONFORMAL = "conformal.npz"
CHECKSUMS = "checksums.json"


class Engine(BaseModel):
    """One way to run the bundle's network, as measured when it was packaged."""

    model_config = ConfigDict(frozen=True)

    name: str
    """"onnxruntime", "litert" or "keras"."""
    usable: bool
    max_difference: float | None = None
    """Largest difference of a prediction from what Keras gives on the sample: of a probability in absolute terms, of
    anything else relative to the largest prediction."""
    latency_ms: float | None = None
    """Median of one example, in the packaging process, one thread."""
    note: str = ""
    """Why it is not usable."""


class Part(BaseModel):
    """A trial's network in an average."""

    model_config = ConfigDict(frozen=True)

    trial: int
    """Its number in the run."""
    space: str
    values: dict[str, Any]
    weight: float
    """Those of all parts are 1 together."""
    refitted: bool
    """Whether it was fitted again on training and validation examples together."""
    note: str = ""
    """Why it was not; empty when it was."""


class Average(BaseModel):
    """Several networks whose predictions are averaged, and what spoke for it."""

    model_config = ConfigDict(frozen=True)

    parts: tuple[Part, ...]
    """Two or more, the largest weight first."""
    score: float
    """The objective of the average on examples that none of the networks was fitted on. The average was chosen by these
    same examples, so this flatters it."""
    single_score: float
    """Of the best trial alone, on the same examples."""
    num_examples: int
    """So many they are."""


class Calibration(BaseModel):
    """Temperature scaling (Guo et al. 2017): what it changed on examples that the network was not fitted on."""

    model_config = ConfigDict(frozen=True)

    temperature: float
    """Probabilities are raised to its inverse and normalised again, by the network itself. 1: they are left alone."""
    num_examples: int
    """That the temperature was fitted on, and the figures are of."""
    log_loss_before: float
    log_loss_after: float
    """Each example's with a temperature that was fitted on others; so is the error."""
    error_before: float
    """Expected calibration error of the top class, 15 bins."""
    error_after: float


class Manifest(BaseModel):
    """`manifest.json`. Read before anything else of a bundle is."""

    model_config = ConfigDict(frozen=True)

    format_version: int = FORMAT_VERSION
    name: str
    bundle_id: str
    """Unique; the tag's version in BentoML's store."""
    run_id: str
    created_at: str
    """ISO 8601, UTC."""
    kerasmith_version: str
    task: str
    objective: str
    input_kind: str
    input_shape: tuple[int, ...]
    input_dtype: str
    labels: tuple[str, ...]
    target: str = ""
    """What the answer is called; empty where the data has no name for it."""
    decision: Decision = MOST_LIKELY
    """How probabilities become one answer."""
    quantiles: tuple[float, ...] = ()
    """Forecasting: what the last axis of a prediction means."""
    engine: str
    """The engine to serve with: the fastest of the usable ones."""
    engines: tuple[Engine, ...]
    outputs: tuple[str, ...] = ("prediction", "embedding")
    """Names of the network's outputs, in order: the prediction, and the features before the head."""
    space: str
    """Of an average, the names of its spaces with + between them."""
    values: dict[str, Any]
    """Of an average, those of the part with the largest weight."""
    fits: int = 1
    """Networks of the one trial, fitted from different seeds, whose predictions are averaged."""
    average: Average | None = None
    """`None`: one network."""
    calibration: Calibration | None = None
    """Classification; `None` in bundles that were made before there was any."""
    num_parameters: int
    size_bytes: int
    """Of the file that the chosen engine loads."""
    packages: dict[str, str]
    """Versions that made the bundle."""
    data_fingerprint: str
    num_examples: dict[str, int]
    """Per split."""
    evaluation: Evaluation
