"""Answers of the REST port: tensors to JSON.

A float has 6 significant digits where these give it back, else 9 (17 for float64); whole numbers end in ".0"; int64 is
exact; a string of an output named `*_bytes` becomes {"b64": "..."}.
"""

import base64
import json
from collections.abc import Mapping

import numpy as np
from tensorflow_serving.apis import classification_pb2, regression_pb2

from tfdfm.serving.status import invalid

CHUNK = 8192  # numbers formatted in one call into C, which holds Python's lock: about 2 ms
_LONG = {np.dtype(np.float32): ("%.9g", 1e9), np.dtype(np.float64): ("%.17g", 1e17)}
_FORMS = ("%.6g", "%.1f", "NaN%.0s", "Infinity%.0s", "-Infinity%.0s")  # %.0s takes a value and prints nothing of it
_POWERS = np.array([float(f"1e{power}") for power in range(51)])


def predictions(outputs: Mapping[str, np.ndarray], rows: bool) -> str:
    """What `predict` answers: {"predictions": [...]} for `rows`, else {"outputs": ...}. One output goes unnamed."""
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if not rows:
        return f'{{"outputs":{_named({name: _text(name, array) for name, array in outputs.items()})}}}'
    if len(sizes := {array.shape[:1] for array in outputs.values()}) > 1 or () in sizes:
        shapes = ", ".join(f"{name}: {list(array.shape)}" for name, array in sorted(outputs.items()))
        raise invalid(
            f"Outputs have inconsistent batch size, so 'instances' cannot be answered: {shapes}. Send 'inputs'."
        )
    columns = {name: _rows(name, array) for name, array in outputs.items()}
    joined = ",".join(_named(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True))
    return f'{{"predictions":[{joined}]}}'


def classifications(result: classification_pb2.ClassificationResult) -> str:
    """{"results": [[[label, score], ...], ...]}"""
    if not result.classifications:
        raise invalid("Cannot convert empty ClassificationResults to JSON")
    lists = [
        ",".join(f"[{json.dumps(entry.label)},{_floats(np.float32([entry.score]))[0]}]" for entry in row.classes)
        for row in result.classifications
    ]
    return f'{{"results":[{",".join(f"[{row}]" for row in lists)}]}}'


def regressions(result: regression_pb2.RegressionResult) -> str:
    """{"results": [value, ...]}"""
    if not result.regressions:
        raise invalid("Cannot convert empty RegressionResults to JSON")
    return f'{{"results":[{",".join(_floats(np.float32([entry.value for entry in result.regressions])))}]}}'


def _named(texts: Mapping[str, str]) -> str:
    if len(texts) == 1:
        return next(iter(texts.values()))
    return f"{{{','.join(f'{json.dumps(name)}:{text}' for name, text in sorted(texts.items()))}}}"


def _text(name: str, array: np.ndarray) -> str:
    return f"[{','.join(_rows(name, array))}]" if array.ndim else _leaves(name, array.reshape(1))[0]


def _rows(name: str, array: np.ndarray) -> list[str]:
    """The JSON of each element of the first dimension."""
    texts = _leaves(name, array.reshape(-1))
    for axis in range(array.ndim - 1, 0, -1):
        size, count = array.shape[axis], int(np.prod(array.shape[:axis]))
        texts = [f"[{','.join(texts[index * size : (index + 1) * size])}]" for index in range(count)]
    return texts


def _leaves(name: str, flat: np.ndarray) -> list[str]:
    if flat.dtype in _LONG:
        return _floats(flat)
    if flat.dtype.kind in "iu":
        return list(map(str, flat.tolist()))
    if flat.dtype.kind == "b":
        return ["true" if value else "false" for value in flat.tolist()]
    if flat.dtype.kind in "OSU":
        return _strings(name, flat.tolist())
    raise invalid(f"Failed to write JSON value for tensor type: {flat.dtype} (output {name!r}). Use gRPC.")


def _strings(name: str, values: list[bytes | str]) -> list[str]:
    if name.endswith("_bytes"):
        return [f'{{"b64":"{base64.b64encode(value).decode()}"}}' for value in values]
    try:
        return [json.dumps(value if isinstance(value, str) else value.decode()) for value in values]
    except UnicodeDecodeError:
        raise invalid(
            f"Output {name!r} is not UTF-8, which JSON cannot hold. Use gRPC, or name it '*_bytes'."
        ) from None


def _floats(flat: np.ndarray) -> list[str]:
    texts = []
    for start in range(0, len(flat), CHUNK):
        part = flat[start : start + CHUNK]
        texts += (",".join(_forms(part)) % tuple(part.tolist())).split(",")
    return texts


def _forms(flat: np.ndarray) -> list[str]:
    """How printf writes each float."""
    longest, limit = _LONG[flat.dtype]
    finite = np.where(np.isfinite(flat), flat, 0)
    short, size = _six_digits_do(finite), np.abs(finite)
    kind = short.astype(np.int8)
    kind[(size == np.trunc(size)) & (size < np.where(short, 1e6, limit))] = 2
    kind[np.isnan(flat)], kind[flat == np.inf], kind[flat == -np.inf] = 3, 4, 5
    return np.array([longest, *_FORMS], np.object_)[kind].tolist()


def _six_digits_do(flat: np.ndarray) -> np.ndarray:
    """bool [N]: which of finite float32 or float64 [N] come back from 6 significant digits."""
    if flat.dtype == np.float64:
        return np.array([float(f"{value:.6g}") == value for value in flat.tolist()], np.bool_)
    size = np.abs(flat).astype(np.float64)
    exponent = 5 - np.floor(np.log10(np.where(size > 0, size, 1))).astype(np.int64)
    up, down = _POWERS[np.maximum(exponent, 0)], _POWERS[np.maximum(-exponent, 0)]
    return (np.rint(size * up / down) * down / up).astype(np.float32) == np.abs(flat)
