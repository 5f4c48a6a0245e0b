"""Requests of the REST port: JSON to tensors, by a signature's dtypes. A mistake is a StatusError, INVALID_ARGUMENT.

Integers must be written as integers, floats may be; NaN, Infinity and -Infinity are numbers, as TensorFlow Serving has
it. A string may be {"b64": "..."}. Writing is in `response_json`.
"""

import base64
import json
import math
from collections.abc import Iterable, Mapping
from itertools import chain

import numpy as np
import tensorflow as tf
from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow.core.framework import types_pb2

from tfdfm.serving.models import inference
from tfdfm.serving.status import invalid

_INTEGERS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
DTYPES = {
    tf.as_dtype(kind).as_datatype_enum: kind for kind in (np.float32, np.float64, np.bool_, np.object_, *_INTEGERS)
}
DEEPEST = 64  # NumPy's arrays have no more dimensions
MOST = 1 << 22  # values in a body: a list or string of few bytes takes sixty in memory


def parse(body: bytes) -> dict:
    """The JSON object of a request."""
    if not body.strip():
        raise invalid("JSON Parse error: The document is empty")
    if (values := body.count(b",")) > MOST:
        raise invalid(f"Expected at most {MOST} values in a request, given about {values}. Split it, or use gRPC.")
    try:
        request = _DECODER.decode(body.decode("utf-8-sig"))
    except RecursionError:
        raise invalid("JSON Parse error: nested too deeply") from None
    except UnicodeDecodeError as error:
        raise invalid(f"JSON Parse error: not UTF-8 at offset: {error.start}") from None
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(request, dict):
        raise invalid(f"Expected a JSON object, given {_shown(request)}.")
    if not isinstance(request.get("signature_name", ""), str):
        raise invalid(f"'signature_name' must be a string, given {_shown(request['signature_name'])}.")
    return request


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def _object(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"key {_shown(twice)} is there twice")
    return found


# Functions of Python, called for each number, let the event loop's thread run meanwhile; C alone holds Python's lock.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_int=lambda text: int(text))


def tensors(request: Mapping, dtypes: Mapping[str, int]) -> tuple[dict[str, np.ndarray], bool]:
    """Arrays by input name, and whether the request had row form (`instances`).

    `request`: of `parse`; `dtypes`: the signature's inputs and their TensorFlow DataType.
    """
    if "instances" in request and "inputs" in request:
        raise invalid("Expected only one of 'inputs' and 'instances', given both.")
    if "instances" in request:
        columns = _columns(request["instances"], dtypes)
    elif "inputs" in request:
        columns = _named(request["inputs"], dtypes)
    else:
        raise invalid("Missing 'inputs' or 'instances' key")
    return {name: tensor(column, dtypes[name], name) for name, column in columns.items()}, "instances" in request


def _named(inputs: object, names: Iterable[str]) -> dict[str, object]:
    """Columnar form: an object with every input, or the value of the only one."""
    if not isinstance(inputs, dict) or _is_base64(inputs):
        return {_only(names, "'inputs' is a plain value or list"): inputs}
    if missing := sorted(set(names) - inputs.keys()):
        raise invalid(f"Missing named input: {', '.join(missing)} in 'inputs' object.")
    return {name: inputs[name] for name in names}


def _columns(instances: object, names: Iterable[str]) -> dict[str, list]:
    """Row form: a list of objects with exactly the inputs, or of values of the only one."""
    if not isinstance(instances, list) or not instances:
        raise invalid(f"Expected 'instances' to be a list of at least one, given {_shown(instances)}.")
    objects = [isinstance(row, dict) and not _is_base64(row) for row in instances]
    if len(set(objects)) > 1:
        raise invalid(
            f"'instances' mixes objects and values: item {objects.index(not objects[0])} differs from item 0."
        )
    if not objects[0]:
        return {_only(names, "'instances' is a plain list"): instances}
    expected = set(names)
    for index, row in enumerate(instances):
        if row.keys() != expected:
            keys, given = ",".join(sorted(expected)), ", ".join(map(_shown, row)) or "none"
            raise invalid(f"Item {index} of 'instances': keys must be equal to: {keys}. Given {given}.")
    return {name: [row[name] for row in instances] for name in names}


def _only(names: Iterable[str], what: str) -> str:
    names = sorted(names)
    if len(names) != 1:
        raise invalid(f"{what}, but the signature has {len(names)} inputs: expected an object with {', '.join(names)}.")
    return names[0]


def tensor(value: object, dtype: int, name: str) -> np.ndarray:
    """A value, list, list of lists, ... as an array; strings are an array of bytes objects."""
    if dtype not in DTYPES:
        raise invalid(f"Input {name!r} is {types_pb2.DataType.Name(dtype)}, which JSON cannot hold here. Use gRPC.")
    shape, leaves = [], [value]
    while leaves and isinstance(leaves[0], list):
        if len(shape) == DEEPEST:
            raise invalid(f"Input {name!r}: lists nested deeper than {DEEPEST}.")
        leaves, size = _opened(leaves, len(shape), name)
        shape.append(size)
    return _array(leaves, DTYPES[dtype], f"input {name!r}").reshape(shape)


def _opened(lists: list, level: int, name: str) -> tuple[list, int]:
    """What is in equally long lists, and their length."""
    if set(map(type, lists)) != {list}:
        odd = next(value for value in lists if not isinstance(value, list))
        raise invalid(f"Input {name!r}: expected a list at level {level}, as its first is, given {_shown(odd)}.")
    if len(sizes := set(map(len, lists))) > 1:
        raise invalid(f"Input {name!r}: lists at level {level} have different sizes: {sorted(sizes)[:8]}.")
    return list(chain.from_iterable(lists)), sizes.pop()


def _array(leaves: list, dtype: type, where: str) -> np.ndarray:
    """One-dimensional; refuses what `dtype` does not hold exactly, but for decimals, which are rounded."""
    if dtype is np.object_:
        return np.array([_bytes(leaf, where) for leaf in leaves], np.object_)
    expected = {"f": {int, float}, "b": {bool}}.get(np.dtype(dtype).kind, {int})
    if set(map(type, leaves)) - expected:
        odd = next(leaf for leaf in leaves if type(leaf) not in expected)
        raise invalid(f"JSON Value: {_shown(odd)} is not of expected type: {dtype.__name__} ({where})")
    try:
        return _floats(leaves, dtype) if float in expected else np.array(leaves, dtype)
    except OverflowError:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        odd = next(leaf for leaf in leaves if not low <= leaf <= high)
        raise invalid(f"JSON Value: {_shown(odd)} is out of range for {dtype.__name__} ({where})") from None


def _floats(leaves: list, dtype: type) -> np.ndarray:
    digits = np.finfo(dtype).nmant + 1
    largest = float(np.finfo(dtype).max) * (1 + 2 ** -(digits + 1))  # what is nearest to the largest is it
    for leaf in leaves:
        if abs(leaf) > 2**digits and (type(leaf) is int or largest < abs(leaf) < math.inf):
            raise invalid(f"Cannot convert JSON value: {_shown(leaf)} to {dtype.__name__} without loss of precision.")
    return np.array(leaves, dtype)


def _is_base64(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _bytes(value: object, where: str) -> bytes:
    try:
        if isinstance(value, str):
            return value.encode()
        if _is_base64(value):
            text = "".join(value["b64"].split())
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except UnicodeEncodeError:
        raise invalid(f"JSON Value: {_shown(value)} has half of a surrogate pair ({where})") from None
    except ValueError:
        raise invalid(f"JSON Value: {_shown(value['b64'])} not formatted correctly for base64 data ({where})") from None
    raise invalid(f"JSON Value: {_shown(value)} is not of expected type: string ({where})")


def examples(request: Mapping) -> list[bytes]:
    """The `examples` of a classify or regress request, serialised, each with what it lacks of `context`."""
    rows = request.get("examples")
    if not isinstance(rows, list) or not rows:
        raise invalid(f"Expected 'examples' to be a list of at least one, given {_shown(rows)}.")
    context = _example(request.get("context", {}))
    return inference.joined(context, [_example(row) for row in rows])


def _example(row: object) -> bytes:
    return example_pb2.Example(features={"feature": _features(row)}).SerializeToString()


def _features(row: object) -> dict[str, feature_pb2.Feature]:
    if not isinstance(row, dict):
        raise invalid(f"Example must be JSON object, given {_shown(row)}.")
    return {_bytes(name, "name of a feature").decode(): _feature(value, name) for name, value in row.items()}


def _feature(value: object, name: str) -> feature_pb2.Feature:
    values = value if isinstance(value, list) else [value]
    kinds, where = set(map(type, values)), f"feature {name!r}"
    if kinds == {float}:
        return feature_pb2.Feature(float_list={"value": _array(values, np.float32, where)})
    if kinds and kinds <= {bool, int}:
        return feature_pb2.Feature(int64_list={"value": _array([int(value) for value in values], np.int64, where)})
    if kinds and kinds <= {str, dict}:
        return feature_pb2.Feature(bytes_list={"value": [_bytes(value, where) for value in values]})
    if kinds:
        raise invalid(f"Expected numbers or strings of one kind, given {', '.join(map(_shown, values[:4]))} ({where})")
    return feature_pb2.Feature()


def _shown(value: object) -> str:
    """A value in an error: short, in JSON's words."""
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
