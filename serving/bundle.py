"""A bundle: the folder that holds a model and everything it needs to answer. Reading, checking, asking it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from records.api import AnyPrediction
from records.bundle import CODEC, SAMPLE_ANSWER, SAMPLE_REQUEST, Manifest
from records.errors import BundleError, InputError
from serving.agreement import agree
from serving.batching import Batching
from serving.bundle_files import AGAIN, read_json
from serving.bundle_files import read_manifest as read_manifest
from serving.bundle_files import verify as verify
from serving.bundle_files import write_checksums as write_checksums
from serving.codecs.catalog import Codec, load_codec
from serving.decoding import DECODINGS, Answering, answering
from serving.encoding import each, encode_light, encode_part
from serving.engines import ENGINES, Engine, choose
from serving.honesty.answers import Honesty, load_honesty
from serving.kinds import WAYS
from serving.parsing.bodies import Asked, parse_request
from serving.parsing.parameters import PLAIN, Options
from serving.working import Outputs, Working, work_off

PREDICTIONS = TypeAdapter(list[AnyPrediction])


@dataclass(frozen=True)
class ModelBundle:
    """A bundle that can be asked."""

    folder: Path
    manifest: Manifest
    codec: Codec
    engine: Engine
    engine_name: str = ""
    """In `ENGINES`: the manifest's, or another one where that is not installed."""
    batching: Batching | None = None
    """While it is served: joins what several threads ask at once. See `serving.tuning`."""

    @cached_property
    def answering(self) -> Answering:
        """What the network's numbers mean."""
        return answering(self.manifest)

    @cached_property
    def honesty(self) -> Honesty:
        """What is known of how sure answers are."""
        return load_honesty(self.folder, self.manifest)

    def predict(
        self, raws: Sequence[Any], options: Options = PLAIN, max_decode_seconds: float | None = None
    ) -> list[AnyPrediction]:
        """One answer for each raw input.

        Args:
            raws: What the codec of the model's kind encodes. Images: bytes, a path, or a
                `<uint8>[height, width, channels]` array. Texts: strings. Series: `[steps]` or `[steps, channels]`
                arrays or lists, NaN or None where a value is missing. Rows: values by column. Forecasts:
                `{"history": rows, "future": rows or None}`.
            options: How the answers are to look.
            max_decode_seconds: For all inputs together; `None`: any time.

        Raises:
            InputError: An input is not what it should be; where there are several, it says which one. Or the model
                cannot answer so.
        """
        return work_off(self.predicting(raws, options, max_decode_seconds), self.run)

    def predicting(
        self,
        raws: Sequence[Any],
        options: Options = PLAIN,
        max_decode_seconds: float | None = None,
        light: bool = False,
    ) -> Working[list[AnyPrediction]]:
        """`predict`, step by step: see `serving.working`."""
        self.honesty.check(options)
        if not raws:
            return []
        outputs, embeddings = yield from self.asking(raws, max_decode_seconds, light)
        times = [each(self._times, raws, index) for index in range(len(raws))]
        predictions = DECODINGS[self.manifest.task](outputs, self.answering, options.top_k, times)
        return self.honesty.complete(predictions, outputs, embeddings, options)

    def asking(
        self, raws: Sequence[Any], max_decode_seconds: float | None = None, light: bool = False
    ) -> Working[Outputs]:
        """What the network gives for each raw input, step by step: predictions `<float32>[batch, ...]` as `DECODINGS`
        take them, and embeddings `<float32>[batch, features]`.

        Args:
            raws: As for `predict`, at least one.
            max_decode_seconds: As for `predict`.
            light: They come from a small body, see `serving.encoding.is_light`.

        Raises:
            InputError: An input is not what it should be.
        """
        arrays = encode_light(self.codec, raws) if light else None
        if arrays is not None:
            outputs = yield arrays
            assert outputs is not None
            return outputs
        yield None
        parts: list[Outputs] = []
        seconds = 0.0
        size = WAYS[self.codec.kind].batch_size
        for start in range(0, len(raws), size):
            part = range(start, min(start + size, len(raws)))
            arrays, seconds = encode_part(self.codec, raws, part, seconds, max_decode_seconds)
            outputs = yield arrays
            assert outputs is not None
            parts.append(outputs)
        if len(parts) == 1:
            return parts[0]
        predictions, embeddings = zip(*parts, strict=True)
        return np.concatenate(predictions), np.concatenate(embeddings)

    def predict_each(self, raws: Sequence[Any], options: Options = PLAIN) -> list[AnyPrediction | InputError]:
        """As `predict`, but an input that is not what it should be has its error as its answer."""
        self.honesty.check(options)
        answers: list[AnyPrediction | InputError] = []
        size = WAYS[self.codec.kind].batch_size
        for start in range(0, len(raws), size):
            part = raws[start : start + size]
            try:
                answers += self.predict(part, options)
            except InputError:
                answers += self._one_by_one(part, options)
        return answers

    def run(self, arrays: Sequence[np.ndarray]) -> Outputs:
        """Encoded inputs through the network: predictions and embeddings, in their order.

        Args:
            arrays: As the codec encodes them, one or more.
        """
        if self.batching is not None:
            return self.batching.run(arrays)
        return self.engine.run(self.codec.collate(arrays))

    def reproduces_sample(self) -> bool:
        """True when the sample request still gets the answer that it got when the model was packaged.

        Raises:
            BundleError: The sample itself cannot be read.
        """
        try:
            asked = self._asked_sample()
            expected = PREDICTIONS.validate_python(read_json(self.folder, SAMPLE_ANSWER)["predictions"])
            answers = self.predict(asked.raws, asked.options)
        except (ValueError, KeyError, TypeError, InputError) as error:
            raise BundleError(f"The sample of the bundle {self.folder} cannot be read: {error}. {AGAIN}") from error
        unit = self._unit()
        return len(answers) == len(expected) and all(
            agree(answer, then, self.answering, unit) for answer, then in zip(answers, expected, strict=True)
        )

    def sample_request(self) -> dict[str, Any]:
        """A body for `POST /predict` that works."""
        return read_json(self.folder, SAMPLE_REQUEST)

    def encoded_sample(self) -> np.ndarray:
        """The first input of the sample request, as the codec encodes it: `<dtype>[*input_shape]`."""
        return self.codec.encode(self._asked_sample().raws[0])

    def close(self) -> None:
        """Frees the network."""
        self.engine.close()

    def _asked_sample(self) -> Asked:
        return parse_request("application/json", b"", json.dumps(self.sample_request()).encode(), self.codec.kind)

    def _one_by_one(self, raws: Sequence[Any], options: Options) -> list[AnyPrediction | InputError]:
        arrays, times, errors = [], [], []
        for raw in raws:
            error = None
            try:
                encoded, steps = self.codec.encode(raw), self._times(raw)
                arrays.append(encoded)
                times.append(steps)
            except InputError as wrong:
                error = wrong
            errors.append(error)
        found = iter(self._infer(arrays, times, options) if arrays else ())
        return [next(found) if error is None else error for error in errors]

    def _infer(self, arrays: Sequence[np.ndarray], times: list[list[str]], options: Options) -> list[AnyPrediction]:
        outputs, embeddings = self.run(arrays)
        predictions = DECODINGS[self.manifest.task](outputs, self.answering, options.top_k, times)
        return self.honesty.complete(predictions, outputs, embeddings, options)

    def _times(self, raw: Any) -> list[str]:
        """What the steps of a forecast are called; nothing for other answers."""
        future_times = getattr(self.codec, "future_times", None)
        return future_times(raw) if future_times else []

    def _unit(self) -> float:
        """The size of the target's numbers, as far as the evaluation tells it; 0 for classes."""
        metrics = self.manifest.evaluation.metrics
        return max((metrics[name].value for name in ("rmse", "mae") if name in metrics), default=0.0)


def open_bundle(folder: Path, engine: str | None = None, threads: int | None = None) -> ModelBundle:
    """Loads a bundle; it is not verified here.

    Args:
        folder: Of the bundle.
        engine: A name in `ENGINES`; `None`: the one that the manifest chose, or the next best that is installed.
        threads: For one batch; `None`: one.

    Raises:
        BundleError: Something in it cannot be loaded.
    """
    manifest = read_manifest(folder)
    if manifest.task not in DECODINGS:
        raise BundleError(
            f"The bundle {folder} is for an unknown task {manifest.task!r}. Known: {', '.join(DECODINGS)}."
        )
    codec = load_codec(read_json(folder, CODEC))
    if codec.input_shape != manifest.input_shape:
        raise BundleError(
            f"The bundle {folder} contradicts itself: its codec gives {list(codec.input_shape)}, "
            f"its network takes {list(manifest.input_shape)}. {AGAIN}"
        )
    name = choose(engine or manifest.engine, () if engine else manifest.engines, folder)
    return ModelBundle(folder, manifest, codec, ENGINES[name].load(folder, threads), name)
