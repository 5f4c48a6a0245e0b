"""The Open Inference Protocol (KServe's version 2), whatever it comes by: data types, tensors as bytes, metadata."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tfdfm.serving.models import tensors
from tfdfm.serving.status import invalid

NAME, PLATFORM, EXTENSIONS = "tfdfm", "tensorflow_savedmodel", ["binary_tensor_data"]
SIGNATURE = "signature_name"  # the parameter of a request that names a signature: the protocol knows one a model
_BITS = (8, 16, 32, 64)
DATATYPES = {  # the protocol's name: TensorFlow's type
    "BOOL": tf.bool,
    **{f"UINT{bits}": tf.as_dtype(f"uint{bits}") for bits in _BITS},
    **{f"INT{bits}": tf.as_dtype(f"int{bits}") for bits in _BITS},
    "FP16": tf.half,
    "BF16": tf.bfloat16,
    "FP32": tf.float32,
    "FP64": tf.float64,
    "BYTES": tf.string,
}
_NAMES = {dtype: name for name, dtype in DATATYPES.items()}


def datatype(dtype: tf.DType) -> str:
    """Raises StatusError (INVALID_ARGUMENT) where the protocol has none: complex numbers."""
    if dtype not in _NAMES:
        raise invalid(f"The Open Inference Protocol has no {dtype.name}.")
    return _NAMES[dtype]


def described(definition: SignatureDef) -> tuple[list[dict], list[dict]]:
    """{"name", "datatype", "shape"} of each input and of each output."""

    def listed(infos) -> list[dict]:
        found = [(name, tf.as_dtype(info.dtype), info.tensor_shape) for name, info in sorted(infos.items())]
        return [
            {"name": name, "datatype": datatype(dtype), "shape": [dim.size for dim in shape.dim]}
            for name, dtype, shape in found
        ]

    return listed(definition.inputs), listed(definition.outputs)


def version(text: str) -> int | None:
    """Raises StatusError (INVALID_ARGUMENT) where it is no number."""
    digits = text.lstrip("0")[:20] or "0"  # twenty are too many; Python does not convert thousands
    if text and not (text.isascii() and text.isdigit() and int(digits) < 2**63):
        raise invalid(f"Failed to convert version: {text} to numeric.")
    return int(digits) if text else None


def checked(name: str, kind: str, shape: Sequence[int]) -> tuple[tf.DType, int]:
    """The type and the number of elements of a tensor that is sent. Raises StatusError (INVALID_ARGUMENT)."""
    if kind not in DATATYPES:
        raise invalid(f"Expected a datatype of {', '.join(DATATYPES)} for input {name!r}, given {kind!r}.")
    dtype = DATATYPES[kind]
    if len(shape) > 32 or min(shape, default=0) < 0:
        raise invalid(f"Expected a shape of at most 32 sizes from 0 for input {name!r}, given {list(shape)}.")
    if math.prod(max(size, 1) for size in shape) * dtype.size > tensors.LIMIT:
        raise invalid(
            f"Expected a shape of at most {tensors.LIMIT} bytes for input {name!r}, given {list(shape)} of {kind}."
        )
    return dtype, math.prod(shape)


def decode(name: str, kind: str, shape: Sequence[int], sent: bytes) -> np.ndarray:
    """A tensor from little-endian bytes; strings have their length, 4 bytes, before them. Raises StatusError."""
    dtype, count = checked(name, kind, shape)
    if dtype == tf.string:
        return np.array(_strings(name, sent, count), object).reshape(shape)
    expected = count * dtype.size
    if len(sent) != expected:
        raise invalid(f"Expected {expected} bytes for input {name!r} of shape {list(shape)}, given {len(sent)}.")
    return np.frombuffer(sent, dtype.as_numpy_dtype).reshape(shape)


def encode(values: np.ndarray) -> bytes:
    """The same the other way round."""
    if values.dtype != object:
        return tensors.content(values)
    return b"".join(len(text).to_bytes(4, "little") + text for text in tensors.strings(values))


def _strings(name: str, sent: bytes, count: int) -> list[bytes]:
    found, place = [], 0
    while place < len(sent) and len(found) < count:
        end = place + 4 + int.from_bytes(sent[place : place + 4], "little")
        if place + 4 > len(sent) or end > len(sent):
            break
        found.append(sent[place + 4 : end])
        place = end
    if place != len(sent) or len(found) != count:
        raise invalid(f"Expected {count} strings, each after its length in 4 bytes, in input {name!r}.")
    return found
