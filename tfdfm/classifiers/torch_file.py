"""Reads weights from a file of torch.save before its version 1.6, without PyTorch and without running its contents."""

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np

from tfdfm.errors import Failure

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}


def read(path: Path) -> dict[str, np.ndarray]:
    """{name: array} of a saved state_dict. Raises Failure: it is none, or damaged."""
    try:
        with open(path, "rb") as file:
            readers = [_Reader(file) for _ in range(5)]
            magic, _, _, tensors, keys = (reader.load() for reader in readers)
            if magic != _MAGIC:
                raise ValueError("another format")
            storages = {key: _storage(file, readers[3].dtypes[key]) for key in keys}
        return {name: tensor.array(storages) for name, tensor in tensors.items()}
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, pickle.UnpicklingError) as error:
        raise Failure(f"{path} is no file of torch.save's old format, or damaged ({error}). Get it again.") from error


class _Tensor:
    """What a saved tensor says of itself: where in which storage it lies."""

    def __init__(self, storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_):
        self._storage, self._offset, self._shape, self._strides = storage, offset, shape, strides

    def array(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        values = storages[self._storage][self._offset :]
        if sum((size - 1) * stride for size, stride in zip(self._shape, self._strides, strict=True)) >= len(values):
            raise ValueError("a tensor beyond its storage")
        strides = [stride * values.itemsize for stride in self._strides]
        return np.lib.stride_tricks.as_strided(values, self._shape, strides).copy()


class _Reader(pickle.Unpickler):
    """Knows the three names that a state_dict needs; any other ends the reading."""

    def __init__(self, file):
        super().__init__(file)
        self.dtypes: dict[str, np.dtype] = {}

    def find_class(self, module: str, name: str):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} has no place among weights")

    def persistent_load(self, described: tuple) -> str:
        _, dtype, key, *_ = described
        self.dtypes[key] = np.dtype(dtype)
        return key


def _storage(file, dtype: np.dtype) -> np.ndarray:
    count = int(np.frombuffer(file.read(8), "<i8")[0])
    return np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
