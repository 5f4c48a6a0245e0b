"""The images that are scored and those that they are scored against: a run's samples, a folder's, a data set's."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from tfdfm import arrays, data, latents
from tfdfm import images as pictures
from tfdfm.arrays import content
from tfdfm.errors import UsageError
from tfdfm.sampling import restore
from tfdfm.sampling.sampler import Local
from tfdfm.sampling.sources import ImageSource


class Stored:
    """Images on disk as a source: seed i is the i-th of them, whose label is its own."""

    def __init__(self, pixels: np.ndarray):
        self.num_classes, self._pixels = 0, pixels

    def images(self, seeds: Iterable[int], labels: Iterable[int] | None = None) -> np.ndarray:
        """float32 [N, H, W, C] in [0, 1]."""
        if labels is not None:
            raise UsageError("Expected no labels of stored images, which have their own. Leave them out.")
        return self._pixels[np.asarray(seeds)].astype(np.float32) / 255


class Drawn:
    """The images of a source as if they were an array uint8 [N, H, W, C]: made when asked for, never kept."""

    def __init__(self, source: ImageSource, seeds: range, labels: np.ndarray | None = None):
        self._source, self._seeds, self._labels = source, seeds, labels

    def __len__(self) -> int:
        return len(self._seeds)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C)"""
        return len(self), *self[:1].shape[1:]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        seeds = np.asarray(self._seeds)[rows]
        labels = None if self._labels is None else self._labels[rows]
        return pictures.unit_to_uint8(self._source.images(seeds, labels))

    def part(self, rows: slice) -> "Drawn":
        """These rows alone."""
        return Drawn(self._source, self._seeds[rows], None if self._labels is None else self._labels[rows])


class ScoredImages(NamedTuple):
    """The images that are scored."""

    images: np.ndarray | Drawn  # uint8 [N, H, W, C]
    labels: np.ndarray | None  # int64 [N], the classes asked for
    class_names: tuple[str, ...]
    of: dict  # whose images they are, for the record
    stored: bool  # on disk

    def labels_among(self, class_names: tuple[str, ...]) -> np.ndarray | None:
        """int64 [N] the labels as numbers of `class_names`; None where there are none or of other classes."""
        if self.labels is None or not set(self.class_names) <= set(class_names):
            return None
        return np.array([class_names.index(name) for name in self.class_names])[self.labels]


class ReferenceImages(NamedTuple):
    """Real images to score against."""

    name: str
    images: np.ndarray  # uint8 [N, H, W, C], memory-mapped
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    record: dict


def of_run(run_dir: Path, checkpoint: str, count: int, seed: int, first: int = 0) -> ScoredImages:
    """Samples `first` to `first + count` of a run's seed: image i is that of `python -m tfdfm.sample` for that seed.

    A conditional model is asked for its classes in turn.
    """
    trained = restore.load(run_dir, checkpoint)
    start = latents.PER_SEED * seed + first
    labels = latents.labels_in_turn(None, first + count, len(trained.class_names))
    labels = None if labels is None else labels[first:]
    of = {
        "run": run_dir.resolve().name,
        "checkpoint": trained.step,
        "weights": trained.weights,
        "checksum": restore.checksum(trained),
        "seed": seed,
        "first": first,
    }
    drawn = Drawn(Local(trained), range(start, start + count), labels)
    return ScoredImages(drawn, labels, trained.class_names, of, stored=False)


def of_images(name: str, count: int | None, data_dir: str | None) -> ScoredImages:
    """Images of a folder or a data set, all or evenly spaced.

    Raises:
        UsageError: fewer than `count`, or all black.
    """
    found = _load(name, None, data_dir)
    total = len(found.pixels)
    if count and count > total:
        raise UsageError(f"Expected --num of at most {total:,}, the images of {name}. Given {count:,}.")
    rows = slice(0, (count or total) * (total // (count or total)), total // (count or total))
    pixels = found.pixels[rows]
    if pixels.max() <= 1:
        raise UsageError(f"Expected pixels in 0..255, found none above 1 in {name}: scale them by 255 before saving.")
    of = {"images": name, "source": found.source, "content": content(pixels)}
    labels = None if found.labels is None else found.labels[rows].astype(np.int64)
    return ScoredImages(Drawn(Stored(pixels), range(len(pixels))), labels, found.class_names, of, stored=True)


def reference(name: str, image_size: int | None, data_dir: str | None, labels: range | None = None) -> ReferenceImages:
    """A data set's images, or a folder's; NAME:test for the ones that are held out; of some labels alone."""
    found = _load(name, image_size, data_dir)
    if labels is not None:
        rows = np.flatnonzero(np.isin(found.labels, labels))
        found = found._replace(pixels=data.Rows(found.pixels, rows), labels=found.labels[rows])
    every = arrays.thinned(len(found.pixels))
    pixels = found.pixels[every]
    record = {"name": name, "source": found.source, "images": len(pixels), "content": content(pixels)}
    return ReferenceImages(
        name, pixels, None if found.labels is None else found.labels[every], found.class_names, record
    )


def labelled(name: str, data_dir: str | None) -> bool:
    """Whether the images of a reference have labels, before they are read."""
    return bool(data.describe(training_set(name), data_dir=data_dir).num_classes)


def training_set(name: str) -> str:
    """The data set, "folder:..." for a folder or a zip, that a reference belongs to."""
    name = name.removesuffix(":test")
    if name not in data.NAMED and (name.startswith("folder:") or data.is_folder(name)):
        return "folder:" + name.removeprefix("folder:")
    return name


def _load(name: str, image_size: int | None, data_dir: str | None) -> data.Images:
    split = "test" if name.endswith(":test") else "train"
    name = training_set(name)
    if name.startswith("folder:"):
        image_size = image_size or _side(name.removeprefix("folder:"))
    return data.load(name, image_size=image_size, data_dir=data_dir, split=split)


def _side(folder: str) -> int:
    """The images' own side, 32 for MNIST's 28; those of other sizes are fitted to the smallest."""
    smallest, largest = data.sides(folder)
    if smallest != largest:
        logging.warning("%s holds images of other sizes: all are cropped and rescaled to %d pixels.", folder, smallest)
    return 32 if smallest == 28 else smallest
