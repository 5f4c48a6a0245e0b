"""The Open Inference Protocol by REST: what a path below /v2 names, requests and answers, JSON and tensors as bytes."""

import json
import re
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
import tensorflow as tf

from tfdfm.serving import open_inference
from tfdfm.serving.http import request_json
from tfdfm.serving.status import invalid, not_found

HEADER = "Inference-Header-Content-Length"  # bytes of JSON before the tensors
_MODEL = r"/v2/models/([^/]+)(?:/versions/([^/]+))?"
_PATHS = {
    "GET": re.compile(rf"/v2(?P<server>/health/live|/health/ready|/?)|{_MODEL}(?P<model>/ready|)"),
    "POST": re.compile(rf"{_MODEL}(?P<model>/infer)"),
}


class Target(NamedTuple):
    """What a path names."""

    model: str
    version: int | None
    method: str  # live, ready, metadata, infer


class Asked(NamedTuple):
    """A request to infer."""

    id: str
    signature: str
    inputs: dict[str, np.ndarray]
    outputs: dict[str, bool]  # name: whether as bytes; all where there are none
    binary: bool  # what is not said of an output


def target(method: str, path: str) -> Target:
    """Raises StatusError where the path names nothing."""
    match = method in _PATHS and _PATHS[method].fullmatch(path)
    if not match:
        raise not_found(f"Malformed request: {method} {path}")
    parts = match.groupdict()
    if parts.get("server") is not None:
        return Target("", None, parts["server"].rpartition("/")[2] or "metadata")
    name, number = (unquote(part or "") for part in match.groups()[-3:-1])
    return Target(name, open_inference.version(number), parts["model"].strip("/") or "metadata")


def parse(body: bytes, header: str | None) -> Asked:
    """The request; `header` is what HEADER says. Raises StatusError (INVALID_ARGUMENT)."""
    length = len(body)
    if header:
        digits = header.lstrip("0")[:20] or "0" if header.isascii() and header.isdigit() else "-1"
        length = int(digits)  # twenty are too many; Python does not convert thousands
        if not 0 <= length <= len(body):
            raise invalid(f"Expected {HEADER} to be at most the {len(body)} bytes of the body, given {header[:40]}.")
    asked, sent = request_json.parse(body[:length]), body[length:]
    inputs, place = {}, 0
    for each in _listed(asked, "inputs"):
        name, kind, shape = each.get("name"), each.get("datatype"), each.get("shape")
        if not (isinstance(name, str) and isinstance(kind, str) and _whole(shape)):
            raise invalid("Expected name, datatype and shape of whole numbers in each of 'inputs'.")
        size = _parameters(each).get("binary_data_size")
        if size is None:
            inputs[name] = _from_json(name, kind, shape, each.get("data"))
            continue
        if not _whole([size]) or not 0 <= size <= len(sent) - place:
            raise invalid(f"Expected binary_data_size of input {name!r} within the body, given {size}.")
        inputs[name] = open_inference.decode(name, kind, shape, sent[place : place + size])
        place += size
    if place != len(sent):
        raise invalid(f"Expected {place} bytes of tensors after the JSON, given {len(sent)}.")
    parameters = _parameters(asked)
    binary = bool(parameters.get("binary_data_output", False))
    outputs = {
        str(each.get("name")): bool(_parameters(each).get("binary_data", binary)) for each in _listed(asked, "outputs")
    }
    return Asked(str(asked.get("id", "")), str(parameters.get(open_inference.SIGNATURE, "")), inputs, outputs, binary)


def answer(model: str, version: int, asked: Asked, outputs: dict[str, np.ndarray]) -> tuple[bytes, dict[str, str]]:
    """The body and its headers. Raises StatusError (INVALID_ARGUMENT): a type that only bytes can hold, or none."""
    listed, parts = [], []
    for name, values in outputs.items():
        kind = open_inference.datatype(tf.as_dtype(values.dtype))
        made: dict[str, Any] = {"name": name, "datatype": kind, "shape": list(values.shape)}
        if asked.outputs.get(name, asked.binary):
            parts.append(open_inference.encode(values))
            made["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            made["data"] = _to_json(name, kind, values)
        listed.append(made)
    said = {"model_name": model, "model_version": str(version), "outputs": listed}
    text = json.dumps(({"id": asked.id} if asked.id else {}) | said).encode()
    headers = {HEADER: str(len(text)), "Content-Type": "application/octet-stream"} if parts else {}
    return b"".join([text, *parts]), {"Content-Type": "application/json"} | headers


def _listed(asked: dict, key: str) -> list[dict]:
    found = asked.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise invalid(f"Expected a list of objects in {key!r}.")
    return found


def _parameters(of: dict) -> dict:
    found = of.get("parameters", {})
    if not isinstance(found, dict):
        raise invalid("Expected an object in 'parameters'.")
    return found


def _whole(shape: Any) -> bool:
    return isinstance(shape, list) and all(isinstance(size, int) and not isinstance(size, bool) for size in shape)


def _from_json(name: str, kind: str, shape: list[int], data: Any) -> np.ndarray:
    """Flat or nested."""
    dtype, count = open_inference.checked(name, kind, shape)
    if not isinstance(data, list):
        raise invalid(f"Expected a list in 'data' of input {name!r}.")
    flat = _flat(data)
    if dtype == tf.string:
        good = all(isinstance(value, str) for value in flat)
        flat = [value.encode("utf-8", "surrogatepass") for value in flat] if good else flat
    elif dtype == tf.bool:
        good = all(isinstance(value, bool) for value in flat)
    else:
        kinds = (int, float) if dtype.is_floating else (int,)
        good = all(isinstance(value, kinds) and not isinstance(value, bool) for value in flat)
    if not good or len(flat) != count:
        raise invalid(f"Expected {count} values of {kind} in 'data' of input {name!r}.")
    try:
        return np.array(flat, dtype.as_numpy_dtype).reshape(shape)
    except OverflowError:
        raise invalid(f"Expected values of {kind} in 'data' of input {name!r}, one is too large.") from None


def _flat(data: list) -> list:
    """Looks at each value once, however deep it lies."""
    found: list[Any] = []
    opened = [iter(data)]
    while opened:
        for value in opened[-1]:
            if isinstance(value, list):
                opened.append(iter(value))
                break
            found.append(value)
        else:
            opened.pop()
    return found


def _to_json(name: str, kind: str, values: np.ndarray) -> list:
    if kind in ("FP16", "BF16"):
        raise invalid(f"Output {name!r} is {kind}, which JSON does not hold: ask for it with binary_data.")
    if kind != "BYTES":
        return values.ravel().tolist()
    try:
        return [value if isinstance(value, str) else value.decode() for value in values.ravel()]
    except UnicodeDecodeError:
        raise invalid(f"Output {name!r} is no text: ask for it with binary_data.") from None
