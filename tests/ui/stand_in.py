"""What the page is tried against: a server that answers for each kind of input, and a home with runs."""

from __future__ import annotations

import base64
import io
import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

from records.api import (
    ClassProbability,
    ColumnDescription,
    Description,
    ForecastPrediction,
    NumberPrediction,
    Prediction,
    PredictResponse,
)
from records.evaluation import Figure
from records.spec import InputKind

REFUSED = "refuse this"
"""An input that holds these words is refused."""
REFUSAL = "The server does not like *this* input. Expected another."
LABELS = ["blue", "green", "red"]
HORIZON = 6


def picture(side: int = 24) -> bytes:
    """A PNG of a red circle."""
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    pixels = np.full((side, side, 3), 240, np.uint8)
    pixels[x**2 + y**2 < (side / 3) ** 2] = (210, 40, 40)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def wave(steps: int, channels: int) -> list[list[float]]:
    """Sines, one for each channel."""
    return [[round(math.sin(i / 5 + c), 3) for c in range(channels)] for i in range(steps)]


def history(steps: int = 48) -> list[dict[str, Any]]:
    """Days with a weekly season."""
    first = date(2026, 1, 5)
    return [
        {
            "day": (first + timedelta(days=i)).isoformat(),
            "sales": round(100 + 20 * math.sin(i * math.tau / 7), 2),
            "open": "yes",
        }
        for i in range(steps)
    ]


ROW_COLUMNS = [
    ColumnDescription(name="rooms", kind="number", typical=3, low=1, high=9),
    ColumnDescription(name="distance_km", kind="number", typical=4.25, low=0.1, high=31.5),
    ColumnDescription(name="district", kind="category", values=["north", "south", "west"], typical="south"),
    ColumnDescription(name="built", kind="date", typical="1987-05-01"),
    ColumnDescription(name="remarks", kind="text", typical="quiet, with a garden"),
]
HISTORY_COLUMNS = [
    ColumnDescription(name="day", kind="time"),
    ColumnDescription(name="sales", kind="target", typical=100.0),
    ColumnDescription(name="open", kind="category", values=["yes", "no"]),
]
ROW = {"rooms": 4, "distance_km": 2.5, "district": "north", "built": "1999-12-31", "remarks": "loud"}
SAMPLES: dict[str, dict[str, Any]] = {
    InputKind.IMAGE: {"image": base64.b64encode(picture()).decode()},
    InputKind.TEXT: {"text": "A fine film."},
    InputKind.SERIES: {"series": wave(40, 2)},
    InputKind.TABLE: {"row": ROW},
    InputKind.FORECAST: {"history": history(), "future": None},
}
TASKS = {InputKind.TABLE: "regression", InputKind.FORECAST: "forecasting"}
OBJECTIVES = {"classification": "accuracy", "regression": "rmse", "forecasting": "mase"}


def description(kind: InputKind) -> Description:
    """What the stand-in for a model of this kind says of itself."""
    task = TASKS.get(kind, "classification")
    objective = OBJECTIVES[task]
    figures = {objective: Figure(value=0.914, low=0.893, high=0.933), "mae": Figure(value=12.5, low=11.25, high=13.75)}
    return Description(
        model=f"{kind}s:2",
        task=task,
        input_kind=kind,
        input_shape=[24, 24, 3],
        labels=LABELS if task == "classification" else [],
        target={"regression": "price", "forecasting": "sales"}.get(task, ""),
        columns={InputKind.TABLE: ROW_COLUMNS, InputKind.FORECAST: HISTORY_COLUMNS}.get(kind, []),
        channels=["left", "right"] if kind is InputKind.SERIES else [],
        horizon=HORIZON if kind is InputKind.FORECAST else None,
        engine="onnxruntime",
        created_at="2026-11-21T10:00:00+00:00",
        objective=objective,
        metrics={name: figure.model_dump() for name, figure in figures.items()},
        limits={"max_inputs": 32},
        sample={"inputs": [SAMPLES[kind]]},
    )


def response(kind: InputKind) -> PredictResponse:
    """The same answer to everything."""
    one: Any
    if kind is InputKind.TABLE:
        one = NumberPrediction(value=1234.5)
    elif kind is InputKind.FORECAST:
        days = [(date(2026, 2, 22) + timedelta(days=i)).isoformat() for i in range(HORIZON)]
        middle = [100.0 + i for i in range(HORIZON)]
        low, high = [v - 9 - i for i, v in enumerate(middle)], [v + 9 + i for i, v in enumerate(middle)]
        one = ForecastPrediction(times=days, values=middle, quantiles={"0.1": low, "0.5": middle, "0.9": high})
    else:
        classes = [ClassProbability(label=c, probability=p) for c, p in (("red", 0.9), ("green", 0.07), ("blue", 0.03))]
        one = Prediction(label="red", probability=0.9, classes=classes)
    return PredictResponse(model=f"{kind}s:2", predictions=[one])


class StandIn:
    """A server that answers for one kind, and remembers what it was asked."""

    def __init__(self, kind: InputKind) -> None:
        self.kind = kind
        self.bodies: list[bytes] = []
        self.url = ""


@contextmanager
def serving(kind: InputKind) -> Iterator[StandIn]:
    """The stand-in on a free port."""
    stand_in = StandIn(kind)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, description(kind).model_dump_json() if self.path == "/describe" else "{}")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stand_in.bodies.append(body)
            refused = REFUSED.encode() in body
            answer = json.dumps({"error": REFUSAL}) if refused else response(kind).model_dump_json()
            self._send(422 if refused else 200, answer)

        def _send(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield stand_in
        server.shutdown()


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The data of a chart, wherever in it they stand first."""
    found: list[dict[str, Any]] = spec.get("data", {}).get("values", [])
    return found or next((rows for layer in spec.get("layer", []) if (rows := rows_of(layer))), [])
