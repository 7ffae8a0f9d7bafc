"""A tiny real bundle for each kind of input: real codecs, and ONNX networks made by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from records.bundle import CODEC, MANIFEST, ONNX_MODEL, SAMPLE_ANSWER, SAMPLE_REQUEST, Engine, Manifest
from records.evaluation import Evaluation, Figure
from records.task import MOST_LIKELY, Decision
from serving.bundle import open_bundle, write_checksums
from serving.codecs.calendar import Step, Unit
from serving.codecs.catalog import Codec
from serving.codecs.forecast import ForecastCodec
from serving.codecs.series import SeriesCodec
from serving.codecs.table import TableCodec
from serving.codecs.table_columns import CategoryColumn, NumberColumn
from serving.codecs.text import TextCodec
from serving.codecs.times import DAY

HORIZON = 3
QUANTILES = (0.1, 0.5, 0.9)
TYPES = {"int32": TensorProto.INT32, "float32": TensorProto.FLOAT}


@dataclass(frozen=True, kw_only=True)
class Kit:
    """What a kind's bundle is made of, and how it is asked."""

    codec: Codec
    task: str
    inputs: list[dict[str, Any]]
    """As they stand in a JSON request; each gets an answer of its own."""
    labels: tuple[str, ...] = ()
    decision: Decision = MOST_LIKELY
    target: str = ""

    @property
    def raws(self) -> list[Any]:
        """As the codec takes them."""
        if self.codec.kind == "forecast":
            return self.inputs
        return [next(iter(one.values())) for one in self.inputs]


def text_codec() -> TextCodec:
    """Knows five words."""
    words = ["[PAD]", "[CLS]", "[UNK]", "good", "bad", "film", "stars", "5"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 1)])
    return TextCodec(max_tokens=12, max_chars=400, tokenizer="learnt", tokenizer_json=tokenizer.to_str())


def text_kit() -> Kit:
    inputs = [{"text": "good film, 5 stars: 'é'"}, {"text": "bad"}, {"text": "good good bad"}]
    return Kit(codec=text_codec(), task="classification", inputs=inputs, labels=("bad", "good", "so-so"))


def series_kit() -> Kit:
    codec = SeriesCodec(channels=("x", "y"), means=(0.0, 1.0), stds=(1.0, 2.0), max_steps=6)
    inputs = [{"series": [[0.5, 1], [None, 2], [1.5, 3]]}, {"series": [[-4, -5]]}, {"series": [[9, 0.25]] * 5}]
    return Kit(codec=codec, task="classification", inputs=inputs, labels=("down", "up"))


def _columns() -> tuple[NumberColumn, CategoryColumn]:
    ages = NumberColumn(
        name="age", values=(18.0, 40.0, 90.0), scores=(-2.0, 0.0, 2.0), flag=True, typical=40.0, low=18.0, high=90.0
    )
    return ages, CategoryColumn(name="city", values=("Bern", "Rome", "<b>'Oslo'</b>"))


def table_kit() -> Kit:
    inputs = [{"row": {"age": 64, "city": "Rome"}}, {"row": {"age": "19"}}, {"row": {"city": "Bern", "age": None}}]
    codec = TableCodec(columns=_columns(), ignored=("answer",))
    decision = Decision(threshold=0.75)
    return Kit(codec=codec, task="classification", inputs=inputs, labels=("no", "yes"), decision=decision)


def number_kit() -> Kit:
    inputs = [{"row": {"age": 64.5, "city": "Rome"}}, {"row": {"age": 19}}, {"row": {"city": "Bern"}}]
    return Kit(
        codec=TableCodec(columns=_columns(), ignored=("price",)), task="regression", inputs=inputs, target="price"
    )


def forecast_kit() -> Kit:
    codec = ForecastCodec(
        target="sales", time="day", form="", step=Step(Unit.TIME, DAY), history=8, horizon=HORIZON, season=2,
        quantiles=QUANTILES, typical=1.0, past=(), known=(), calendar=(), extra=("shop",), low=1.0, high=20.0,
    )  # fmt: skip
    histories = [[10.5, 11, 12, 13], [1, 1, 1], [5, None, 7, 8, 20, 3, 4, 5, 6, 7]]
    inputs = [
        {"history": [{"day": f"2024-02-{25 + i - len(v) + 1}", "sales": x} for i, x in enumerate(v)]} for v in histories
    ]
    return Kit(codec=codec, task="forecasting", inputs=inputs, target="sales")


KITS = {"text": text_kit, "series": series_kit, "table": table_kit, "number": number_kit, "forecast": forecast_kit}
"""By name; "number" is a table whose answer is a number."""


def network(kit: Kit) -> onnx.ModelProto:
    """`<dtype>[batch, ...]` to answers that differ between inputs; padding at the end changes nothing."""
    codec, outputs = kit.codec, len(kit.labels) or 1
    features = 1 if len(codec.input_shape) == 1 and codec.kind == "text" else codec.input_shape[-1]
    shape: list[str | int] = ["batch", *codec.input_shape]
    if codec.kind in ("text", "series"):
        shape[1] = "steps"
    nodes = [helper.make_node("Cast", ["input"], ["numbers"], to=TensorProto.FLOAT)]
    if codec.kind == "table":
        nodes.append(helper.make_node("Identity", ["numbers"], ["embedding"]))
    else:
        nodes.append(
            helper.make_node("ReduceSum", ["numbers", "axes"], ["embedding"], keepdims=int(codec.kind == "text"))
        )
    if kit.task == "forecasting":
        outputs = HORIZON * len(QUANTILES)
    weights = np.random.default_rng(0).normal(0, 0.3, (features, outputs)).astype(np.float32)
    nodes.append(helper.make_node("MatMul", ["embedding", "weights"], ["logits"]))
    constants = {"weights": weights, "axes": np.array([1], np.int64)}
    given: list[str | int] = ["batch", outputs]
    if kit.task == "classification":
        nodes.append(helper.make_node("Softmax", ["logits"], ["prediction"], axis=-1))
    elif kit.task == "forecasting":
        given = ["batch", HORIZON, len(QUANTILES)]
        constants["shape"] = np.array([-1, HORIZON, len(QUANTILES)], np.int64)
        nodes.append(helper.make_node("Reshape", ["logits", "shape"], ["prediction"]))
    else:
        nodes.append(helper.make_node("Identity", ["logits"], ["prediction"]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TYPES[codec.dtype], shape)],
        [
            helper.make_tensor_value_info("prediction", TensorProto.FLOAT, given),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", features]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def manifest(kit: Kit, name: str) -> Manifest:
    metric = {"classification": "accuracy", "regression": "rmse", "forecasting": "mase"}[kit.task]
    return Manifest(
        name=name,
        bundle_id=f"{name}-1",
        run_id="run-1",
        created_at="2026-01-02T03:04:05+00:00",
        kerasmith_version="0.1.0",
        task=kit.task,
        objective=metric,
        input_kind=kit.codec.kind,
        input_shape=kit.codec.input_shape,
        input_dtype=kit.codec.dtype,
        labels=kit.labels,
        target=kit.target,
        decision=kit.decision,
        quantiles=QUANTILES if kit.task == "forecasting" else (),
        engine="onnxruntime",
        engines=(Engine(name="onnxruntime", usable=True, latency_ms=0.1),),
        space="floor",
        values={},
        num_parameters=9,
        size_bytes=500,
        packages={"onnxruntime": "1"},
        data_fingerprint="f" * 16,
        num_examples={"train": 6, "validation": 3, "test": 3},
        evaluation=Evaluation(
            num_examples=3, objective=metric, metrics={metric: Figure(value=0.9, low=0.8, high=0.95)}, comparisons=()
        ),
    )


def make_bundle(name: str, folder: Path) -> Path:
    """The bundle of `KITS[name]`."""
    kit = KITS[name]()
    folder.mkdir(parents=True)
    onnx.save(network(kit), folder / ONNX_MODEL)
    (folder / MANIFEST).write_text(manifest(kit, name).model_dump_json())
    (folder / CODEC).write_text(json.dumps(kit.codec.to_json()))
    (folder / SAMPLE_REQUEST).write_text(json.dumps({"inputs": kit.inputs[:1]}))
    bundle = open_bundle(folder)
    answers = bundle.predict(kit.raws[:1])
    bundle.close()
    (folder / SAMPLE_ANSWER).write_text(json.dumps({"predictions": [one.model_dump() for one in answers]}))
    write_checksums(folder)
    return folder
