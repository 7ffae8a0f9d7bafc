"""From the body of an inference request to its tensors, and to what it wants back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from records.errors import InputError
from serving.inference_protocol.binary import Rest, from_binary, split
from serving.inference_protocol.tensors import Declared, Tensor, declared, from_json
from serving.parsing.parameters import Options, check_count, json_options, short

EXAMPLE = '{"inputs": [{"name": …, "datatype": …, "shape": […], "data": […]}]}'
FOREIGN = {
    "shared_memory_region": "Shared memory is not taken. Send the values in `data`, or behind the JSON.",
    "coverage": "Sets and intervals are answered by /predict. Leave `coverage` out.",
    "classification": "The classification extension is not known here. Ask for `label` or `probabilities`.",
}
"""Parameters that are not known here: leaving them unread would give another answer than the client expects."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One output that is asked for."""

    name: str
    binary: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """One inference request."""

    id: str | None
    tensors: dict[str, Tensor]
    """By name, at least one; the first axis of all has the same length."""
    wanted: tuple[Wanted, ...]
    """Empty: the usual outputs."""
    binary: bool
    """Whether the usual outputs are wanted in binary."""
    options: Options
    """`abstain_below` alone."""


def read(headers: Mapping[bytes, bytes], body: bytes, max_tensors: int, max_inputs: int) -> Asked:
    """Reads a request in JSON, or in JSON with binary tensors behind it.

    Args:
        headers: Of the request.
        body: Of the request, within its limits.
        max_tensors: More are refused, before their values are read.
        max_inputs: Length of the first axis at most.

    Raises:
        InputError: Not well-formed (400), too much (413), or wrong in another way (422).
    """
    head, behind = split(headers, body)
    request = _json(head)
    identifier = request.get("id")
    if identifier is not None and type(identifier) is not str:
        raise InputError(f"`id` is wrong. Expected a string. Received: {short(repr(identifier))}.")
    parameters = _parameters(request)
    told = _inputs(request, max_tensors, max_inputs)
    rest = Rest(behind)
    may_be_nan = _flag(parameters, "nan_is_missing", False)
    tensors = {tensor.name: _values(tensor, one, rest, may_be_nan) for tensor, one in told}
    rest.check_empty()
    binary = _flag(parameters, "binary_data_output", False)
    options = json_options({"abstain_below": parameters.get("abstain_below")})
    return Asked(identifier, tensors, _wanted(request, binary), binary, options)


def _json(head: memoryview) -> dict[str, Any]:
    try:
        request = orjson.loads(head)
    except orjson.JSONDecodeError as error:
        raise InputError(f"The request is not JSON: {error}. Expected {EXAMPLE}.", 400) from None
    if type(request) is not dict:
        raise InputError(f"The request is not a JSON object. Expected {EXAMPLE}.")
    return request


def _inputs(request: dict[str, Any], max_tensors: int, max_inputs: int) -> list[tuple[Declared, dict[str, Any]]]:
    """The input tensors as declared, beside their JSON; no value is read yet."""
    inputs = request.get("inputs")
    if type(inputs) is not list or not inputs:
        raise InputError(f"The request has no inputs. Expected {EXAMPLE}.")
    if len(inputs) > max_tensors:
        raise InputError(f"Too many input tensors. Expected at most {max_tensors}. Received: {len(inputs)}.")
    told = [(declared(one), one) for one in inputs]
    first = told[0][0]
    names = set()
    for tensor, _ in told:
        if tensor.name in names:
            raise InputError(f"The tensor {short(tensor.name)!r} was given twice. Expected each name once.")
        names.add(tensor.name)
        check_count(tensor.shape[0], max_inputs)
        if tensor.datatype == "BYTES" and tensor.size != tensor.shape[0]:  # each takes ten times its bytes in memory
            raise InputError(
                f"The tensor {short(tensor.name)!r} is of another shape. Expected BYTES of [-1] or [-1, 1]. "
                f"Received: {short(str(list(tensor.shape)))}."
            )
        if tensor.shape[0] != first.shape[0]:
            raise InputError(
                f"The tensors are of different batch sizes. Expected the same first number in each shape. Received: "
                f"{first.shape[0]} in {short(first.name)!r}, {tensor.shape[0]} in {short(tensor.name)!r}."
            )
    return told


def _values(tensor: Declared, one: dict[str, Any], rest: Rest, may_be_nan: bool) -> Tensor:
    parameters = _parameters(one)
    if "binary_data_size" not in parameters:
        return from_json(tensor, one.get("data"))
    if "data" in one:
        raise InputError(
            f"The tensor {short(tensor.name)!r} came twice. Expected either `data` or a binary_data_size, not both."
        )
    return from_binary(tensor, rest.take(tensor, parameters["binary_data_size"]), may_be_nan)


def _wanted(request: dict[str, Any], binary: bool) -> tuple[Wanted, ...]:
    outputs = request.get("outputs")
    if outputs is None:
        return ()
    if type(outputs) is not list:
        raise InputError('`outputs` is wrong. Expected a list of {"name": …}.')
    wanted: dict[str, Wanted] = {}
    for one in outputs:
        name = one.get("name") if type(one) is dict else None
        if type(name) is not str:
            raise InputError('An output has no name. Expected {"name": …} in `outputs`.')
        if name in wanted:
            raise InputError(f"The output {short(name)!r} was asked for twice. Expected each name once.")
        wanted[name] = Wanted(name, _flag(_parameters(one), "binary_data", binary))
    return tuple(wanted.values())


def _parameters(one: dict[str, Any]) -> dict[str, Any]:
    """Of a request, an input or an output. Unknown ones are left unread, as the protocol says."""
    parameters = one.get("parameters")
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise InputError(f"`parameters` is wrong. Expected an object. Received: {short(repr(parameters))}.")
    for name, sentence in FOREIGN.items():
        if name in parameters:
            raise InputError(sentence)
    return parameters


def _flag(parameters: dict[str, Any], name: str, usual: bool) -> bool:
    value = parameters.get(name, usual)
    if type(value) is not bool:
        raise InputError(f"The parameter `{name}` is wrong. Expected true or false. Received: {short(repr(value))}.")
    return value
