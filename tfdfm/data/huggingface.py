"""Data sets of the Hugging Face Hub, or folders in its form, by the library `datasets`, which keeps what it fetches."""

from collections.abc import Iterator

import numpy as np

from tfdfm.data import image_files
from tfdfm.data.source import Source, default_size
from tfdfm.errors import Failure, UsageError


def source(name: str, test: bool = False) -> Source:
    """NAME or NAME:CONFIG: its first column of images, and its first of class labels if there is one.

    Images are fetched and read one after the other.

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
        found = datasets.load_dataset(path, config or None, split=split)
    except ValueError as error:
        raise UsageError(f"huggingface:{name}: {_line(error)}") from None
    except Exception as error:  # of the network, the disk, the set's files: the library has no common kind
        raise Failure(f"Cannot load huggingface:{name}: {_line(error)}.") from None
    column = _column(found, datasets.Image)
    if column is None:
        raise UsageError(f"Expected a column of images in huggingface:{name}, given {', '.join(found.features)}.")
    labels = _column(found, datasets.ClassLabel)
    names = tuple(found.features[labels].names) if labels else ()
    return Source(
        f"huggingface {name} {split}",
        found._fingerprint,
        len(found),
        names,
        lambda: _layout(found, column),
        lambda: _rows(found, column, labels),
        lambda image: _pixels(image, name),
    )


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _column(found, kind: type) -> str | None:
    return next((name for name, feature in found.features.items() if isinstance(feature, kind)), None)


def _layout(found, column: str) -> tuple[int, int]:
    images = (row[column] for row in found.select_columns([column]))
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
