"""Reads weights from a .safetensors file: eight bytes of the header's length, the header in JSON, then the numbers."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfdfm.errors import Failure

_HEADER = 100_000_000  # bytes at most, as the format says
_DTYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "F64": "<f8"}


def read(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, np.ndarray]:
    """{name: float32 array} of the tensors whose name is `wanted`.

    Raises:
        Failure: the file is none, or damaged, or has numbers of another type.
    """
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _HEADER:
                raise ValueError(f"a header of {length:,} bytes")
            header = json.loads(file.read(length))
        data = np.memmap(path, np.uint8, "r", offset=8 + length)
        return {
            name: _tensor(data, name, **about)
            for name, about in header.items()
            if name != "__metadata__" and wanted(name)
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Failure(f"{path} is no safetensors file, or damaged ({error}). Get it again.") from error


def _tensor(data: np.memmap, name: str, dtype: str, shape: list[int], data_offsets: list[int]) -> np.ndarray:
    if dtype not in _DTYPES:
        raise ValueError(f"{name} is {dtype}: expected one of {', '.join(_DTYPES)}")
    start, stop = data_offsets
    kind = np.dtype(_DTYPES[dtype])
    if not 0 <= start <= stop <= len(data) or stop - start != kind.itemsize * int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"{name} of shape {shape} lies outside the file or its own place")
    values = data[start:stop].view(kind)
    if dtype == "BF16":  # the first half of a float32
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32).reshape(shape)
