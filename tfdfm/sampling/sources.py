"""Sources of images: one interface, and a generator's signatures behind it, from a run or from an export."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import tensorflow as tf

from tfdfm import checksums
from tfdfm.errors import Failure, UsageError

BATCH = 64  # rows that a generator runs at once


@runtime_checkable
class ImageSource(Protocol):
    """Images of seeds: a run, an export, an endpoint (`tfdfm.client.Client`), a folder or a data set.

    The image of a seed is the same alone and in any batch, up to 1e-6. Seed i of stored images is the i-th of them.
    """

    @property
    def num_classes(self) -> int:
        """0: no labels are asked for."""

    def images(self, seeds: Iterable[int], labels: Iterable[int] | None = None) -> np.ndarray:
        """float32 [N, H, W, C] in [0, 1], for N seeds and, of a conditional model, N labels (drawn by the seeds)."""


class Signatures:
    """A generator behind its signatures, run in this process.

    Args:
        functions: {name of a signature: function of keyword arguments [N, ...] -> dictionary of tensors [N, ...]}.
        num_classes: 0 of an unconditional model.
    """

    def __init__(self, functions: Mapping[str, Callable[..., Mapping[str, tf.Tensor]]], num_classes: int):
        self._functions, self.num_classes = functions, num_classes

    def images(self, seeds: Iterable[int], labels: Iterable[int] | None = None) -> np.ndarray:
        """float32 [N, H, W, C] in [0, 1] for N seeds (and labels of a conditional model, else drawn by the seeds)."""
        name = "unconditional" if labels is None and self.num_classes else "serving_default"
        return self._run(name, labels, seed=np.asarray(seeds, np.int64))["images"]

    def latents(self, seeds: Iterable[int]) -> tuple[np.ndarray, str]:
        """(float32 [N, Z], "uniform" or "normal")."""
        found = self._run("latents", seed=np.asarray(seeds, np.int64))
        return found["latents"], found["prior"][0].decode()

    def from_latents(self, latents: np.ndarray, labels: Iterable[int] | None = None) -> np.ndarray:
        """float32 [N, H, W, C] in [0, 1] for latents [N, Z]."""
        return self._run("from_latents", labels, latents=np.asarray(latents, np.float32))["images"]

    def _run(self, name: str, labels: Iterable[int] | None = None, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        if labels is not None:
            inputs["labels"] = np.asarray(labels, np.int64)
        count = len(next(iter(inputs.values())))
        parts = [
            self._functions[name](**{key: tf.constant(value[start : start + BATCH]) for key, value in inputs.items()})
            for start in range(0, count, BATCH)
        ]
        return {key: np.concatenate([part[key].numpy() for part in parts]) for key in parts[0]}


class Export(Signatures):
    """A SavedModel that `tfdfm.export` wrote, without the run that it came from.

    Args:
        directory: a version, or the folder of versions: the newest of them.

    Raises:
        UsageError: there is none, or it generates no images of seeds.
        Failure: it cannot be loaded.
    """

    def __init__(self, directory: Path):
        path = _version(directory)
        checksums.check(path)
        try:
            self._model = tf.saved_model.load(str(path))  # its variables live as long
        except Exception as error:  # whatever a damaged file brings
            raise Failure(f"{path} is damaged ({' '.join(str(error).split())}). Export the run again.") from error
        functions = dict(self._model.signatures)
        if missing := {"serving_default", "latents", "from_latents"} - functions.keys():
            raise UsageError(f"Expected in {path} what tfdfm.export writes, given one without {min(missing)}.")
        super().__init__(functions, 0)
        if "labels" in functions["serving_default"].structured_input_signature[1]:
            self.num_classes = int(self._run("latents", seed=np.zeros(1, np.int64))["num_classes"][0])


def _version(directory: Path) -> Path:
    if (directory / "saved_model.pb").exists():
        return directory
    found = [path for path in directory.glob("*/saved_model.pb") if path.parent.name.isdecimal()]
    if not found:
        raise UsageError(f"Expected an export in --export, found none in {directory}: tfdfm.export writes one.")
    return max((path.parent for path in found), key=lambda path: int(path.name))
