"""Data sets of the Hugging Face Hub, or folders in its form, by the library `datasets`, which keeps what it fetches.

A set that says how large it is, and that this machine's disk has no room for, is read as a stream and not kept: then
only the images as they are prepared need space.
"""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from absl import logging

from tfdfm.data import image_files
from tfdfm.data.source import LOOKED_AT, Source
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
    with _loading(name):
        info = datasets.load_dataset_builder(path, config or None).info
        stream = _is_too_large(info, split, Path(datasets.config.HF_DATASETS_CACHE))
        found = datasets.load_dataset(path, config or None, split=split, streaming=stream)
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
        lambda: image_files.layout(_headers(found, column, name, LOOKED_AT if stream else count)),
        lambda: _rows(found, column, labels, name),
        lambda image: _pixels(image, name),
    )


@contextmanager
def _loading(name: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UsageError(f"huggingface:{name}: {_line(error)}") from None
    except Exception as error:  # of the network, the disk, the set's files: the library has no common kind
        raise Failure(f"Cannot load huggingface:{name}: {_line(error)}.") from None


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


def _headers(found, column: str, name: str, most: int) -> Iterator[tuple[tuple[int, int], bool]]:
    with _loading(name):
        for row in itertools.islice(found.select_columns([column]), most):
            yield row[column].size, image_files.is_gray(row[column])


def _rows(found, column: str, labels: str | None, name: str) -> Iterator[tuple]:
    with _loading(name):
        for row in found:
            yield row[column], row[labels] if labels else -1


def _pixels(image, name: str) -> np.ndarray:
    try:
        return image_files.pixels(image)
    except (OSError, ValueError) as error:
        raise Failure(f"Cannot read an image of huggingface:{name} ({_line(error)}).") from None
