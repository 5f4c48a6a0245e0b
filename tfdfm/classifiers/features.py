"""What a classifier says of images, batch by batch: only features and logits stay, never the images."""

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfdfm import arrays, cache, files
from tfdfm.classifiers.binding import Classifier
from tfdfm.errors import Failure

BATCH = 64
_CRC = struct.Struct("<I")  # of the numbers, behind them


class Features(NamedTuple):
    """Of N images, in their order."""

    features: np.ndarray  # float32 [N, F]
    logits: np.ndarray  # float32 [N, C], C = 0 of a network without classes
    keys: np.ndarray  # uint8 [N, 32], SHA-256 of each image: tells samples apart whatever their order


def features(
    images: np.ndarray, classifier: Classifier, progress: Callable[[int], None] = lambda done: None
) -> Features:
    """Features of `images`, uint8 [N, H, W, C] or what gives such images for a slice of rows, each asked once.

    `progress` hears after each batch how many are done.
    """

    def parts():
        for block in arrays.blocks(len(images), BATCH):
            drawn = images[block]
            yield Features(*classifier.run(drawn), arrays.digests(drawn))
            progress(block.stop)

    return joined(len(images), parts())


def joined(count: int, parts: Iterable[Features]) -> Features:
    """Those of `count` images, from parts in their order; one part is held at a time."""
    result, done = None, 0
    for part in parts:
        result = result or Features(*(np.empty((count, *x.shape[1:]), x.dtype) for x in part))
        end = done + len(part.keys)
        for whole, rows in zip(result, part, strict=True):
            whole[done:end] = rows
        done = end
    return result


def cached(
    pixels: np.ndarray,
    classifier: Classifier,
    progress: Callable[[int], None] = lambda done: None,
    cache_dir: str | None = None,
) -> Features:
    """Features of uint8 images [N, H, W, C] on disk, kept in the cache under the images' content and memory-mapped.

    Raises:
        Failure: the cache is damaged or cannot be written.
    """
    directory = cache.folder(cache_dir)
    target = directory / f"features-{_identity(pixels, classifier)}.npy"
    cache.once(directory, target.stem, target.exists, lambda: _write(target, pixels, classifier, progress))
    rows = _read(target, len(pixels))
    width = rows.shape[1] - classifier.num_classes
    return Features(rows[:, :width], rows[:, width:], arrays.digests(pixels))


def _identity(pixels: np.ndarray, classifier: Classifier) -> str:
    about = json.dumps([arrays.content(pixels), classifier.record], sort_keys=True)
    return hashlib.sha256(about.encode()).hexdigest()[:24]


def _rows(pixels: np.ndarray, classifier: Classifier, progress: Callable[[int], None]) -> Iterator[np.ndarray]:
    for block in arrays.blocks(len(pixels), BATCH):
        yield np.concatenate(classifier.run(pixels[block]), axis=1)
        progress(block.stop)


def _write(target: Path, pixels: np.ndarray, classifier: Classifier, progress: Callable[[int], None]) -> None:
    width, crc = None, 0
    with cache.writing(f"the features {target}"), files.whole(target) as file:
        for rows in _rows(pixels, classifier, progress):
            if width is None:
                width = rows.shape[1]
                about = {"descr": "<f4", "fortran_order": False, "shape": (len(pixels), width)}
                np.lib.format.write_array_header_1_0(file, about)
            rows = np.ascontiguousarray(rows, "<f4")
            file.write(rows)
            crc = zlib.crc32(rows, crc)
        file.write(_CRC.pack(crc))


def _read(target: Path, count: int) -> np.ndarray:
    try:
        rows = np.load(target, mmap_mode="r")
        if rows.ndim != 2 or len(rows) != count:
            raise ValueError(f"expected {count} rows, found {list(rows.shape)}")
        _check(target, rows)
    except (OSError, ValueError, EOFError) as error:
        raise Failure(f"The features {target} are damaged ({error}): delete the file, and it is made again.") from error
    return rows


def _check(target: Path, rows: np.ndarray) -> None:
    """Raises ValueError: the numbers are not as written. Files of 0.1 have no checksum."""
    crc = 0
    for block in arrays.blocks(len(rows)):
        crc = zlib.crc32(np.ascontiguousarray(rows[block]), crc)
    with open(target, "rb") as file:
        file.seek(rows.offset + rows.nbytes)
        tail = file.read()
    if tail and tail != _CRC.pack(crc):
        raise ValueError("their checksum is of others")
