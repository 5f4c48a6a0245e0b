"""Data sets of the Hugging Face Hub, or folders in its form, by the library `datasets`, which keeps what it fetches.

A set that says how large it is, and that this machine's disk has no room for, is read as a stream and not kept: then
only the images as they are prepared need space.
"""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import logging

from tfdfm.data import image_files
from tfdfm.data.source import LOOKED_AT, Source, default_size
from tfdfm.errors import Failure, UsageError


def source(name: str, test: bool = False) -> Source:
    """NAME or NAME:CONFIG: its first column of images, and its first of class labels if there is one.

    Images are fetched and read one after the other. A stream's size and colours are those of its first 1,000.

    Raises:
        UsageError: `datasets` is not installed, or the set has no images or no such split.
        Failure: it cannot be had.
    """
    split = "test" if test else "train"
    try:
        import datasets
    except ImportError:
        raise UsageError("Expected the library datasets: pip install 'tfdfm[huggingface]'.") from None
    path, _, config = name.partition(":")
    try:
        info = datasets.load_dataset_builder(path, config or None).info
        stream = _is_too_large(info, split, Path(datasets.config.HF_DATASETS_CACHE))
        found = datasets.load_dataset(path, config or None, split=split, streaming=stream)
    except ValueError as error:
        raise UsageError(f"huggingface:{name}: {_line(error)}") from None
    except Exception as error:  # of the network, the disk, the set's files: the library has no common kind
        raise Failure(f"Cannot load huggingface:{name}: {_line(error)}.") from None
    column = _column(found, datasets.Image)
    if column is None:
        raise UsageError(f"Expected a column of images in huggingface:{name}, given {', '.join(found.features)}.")
    labels = _column(found, datasets.ClassLabel)
    count = info.splits[split].num_examples if stream else len(found)
    version = f"stream of {info.version} {count} {info.download_size}" if stream else found._fingerprint
    names = tuple(found.features[labels].names) if labels else ()
    return Source(
        f"huggingface {name} {split}",
        version,
        count,
        names,
        lambda: _layout(found, column, LOOKED_AT if stream else count),
        lambda: _rows(found, column, labels),
        lambda image: _pixels(image, name),
    )


def _is_too_large(info, split: str, folder: Path) -> bool:
    """Whether a set that says so has no room beside what is there: what is fetched and what is made of it."""
    known = info.features and split in (info.splits or {}) and info.splits[split].num_examples
    need = (info.download_size or 0) + (info.dataset_size or 0)
    free = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free
    if known and need > free:
        logging.info("%.1f GB are not free in %s: the set is read as a stream.", need / 1e9, folder)
    return bool(known and need > free)


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _column(found, kind: type) -> str | None:
    return next((name for name, feature in found.features.items() if isinstance(feature, kind)), None)


def _layout(found, column: str, most: int) -> tuple[int, int]:
    images = (row[column] for row in itertools.islice(found.select_columns([column]), most))
    sizes, grays = zip(*((min(image.size), image_files.is_gray(image)) for image in images), strict=True)
    return default_size(min(sizes)), 1 if all(grays) else 3


def _rows(found, column: str, labels: str | None) -> Iterator[tuple]:
    for row in found:
        yield row[column], row[labels] if labels else -1


def _pixels(image, name: str) -> np.ndarray:
    try:
        return image_files.pixels(image)
    except (OSError, ValueError) as error:
        raise Failure(f"Cannot read an image of huggingface:{name} ({_line(error)}).") from None
