"""One flat file holds a prepared data set: a checked header, the pixels (memory-mapped), the labels, the checksums.

    magic, format version, length and crc32 of the JSON (20 bytes) | JSON padded to a page | uint8 [N, H, W, C]
    | int32 [N] labels | uint32 crc32 of every 16 MiB of pixels

Opening checks the length, the JSON, labels and checksums always, and the pixels wholly up to 4 GiB (ImageNet at 32
pixels; half a second per GB on two cores), above that 64 evenly spaced blocks (1 GiB). The check reads through a small
buffer: nothing becomes resident. A file is written under a temporary name, synced and renamed, so that a killed
preparation leaves nothing that is ever opened.
"""

import hashlib
import json
import os
import re
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfdfm import cache, files
from tfdfm.errors import Failure
from tfdfm.progress import progress

VERSION = 1
BLOCK = 1 << 24  # bytes of pixels under one checksum
FULL_CHECK = 1 << 32  # bytes of pixels that are checked wholly
SAMPLED_BLOCKS = 64
_PREFIX = struct.Struct("<8sIII")  # magic, version, length and crc32 of the JSON
_MAGIC = b"tfdfmimg"
_PAGE = 4096


class Contents(NamedTuple):
    source: str
    pixels: np.ndarray  # uint8 [N, H, W, C], a read-only memory map
    labels: np.ndarray | None  # int32 [N]
    class_names: tuple[str, ...]


# -------------------------------------------------------------------------------------------------------------- naming


def stem(name: str, image_size: int | None) -> str:
    return f"{re.sub('[^A-Za-z0-9_.]+', '_', name)[-80:]}-{image_size or 'native'}"


def path(directory: Path, name: str, image_size: int | None, version: str) -> Path:
    """Where this set at this size from this version of its source lies; a changed source gets another file."""
    digest = hashlib.sha256(repr((name, image_size, version, VERSION)).encode()).hexdigest()[:16]
    return directory / f"{stem(name, image_size)}-{digest}.tfdfm"


def find(directory: Path, name: str, image_size: int | None, sources: Iterable[str]) -> Path | None:
    """The newest cache of this set from one of `sources`, for when the source itself is no longer there."""
    candidates = directory.glob(f"{stem(name, image_size)}-*.tfdfm")
    found = [candidate for candidate in candidates if source_of(candidate) in sources]
    return max(found, key=lambda candidate: candidate.stat().st_mtime, default=None)


# ------------------------------------------------------------------------------------------------------------- writing


def _header(meta: dict, length: int) -> bytes:
    text = json.dumps(meta).encode().ljust(length - _PREFIX.size)
    return _PREFIX.pack(_MAGIC, VERSION, len(text), zlib.crc32(text)) + text


def _blocks(rows: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of BLOCK, the last one shorter."""
    buffer = bytearray()
    for row in rows:
        buffer += row
        while len(buffer) >= BLOCK:
            yield bytes(buffer[:BLOCK])
            del buffer[:BLOCK]
    if buffer:
        yield bytes(buffer)


def _fill(file, meta: dict, rows: Iterable[tuple[np.ndarray, int]]) -> None:
    """Writes pixels, labels, checksums and, last of all, the header."""
    count, *shape = meta["shape"]
    length = -(-(_PREFIX.size + len(json.dumps(meta)) + 64) // _PAGE) * _PAGE
    file.write(b"\0" * length)
    labels: list[int] = []
    tell = progress(f"Preparing {meta['source']}", count)

    def pixels() -> Iterator[bytes]:
        for image, label in rows:
            labels.append(label)
            tell(len(labels))
            yield np.ascontiguousarray(image).reshape(shape).tobytes()

    sums = []
    for block in _blocks(pixels()):
        file.write(block)
        sums.append(zlib.crc32(block))
    if len(labels) != count:
        raise Failure(f"Expected {count} images in {meta['source']}, found {len(labels)}: prepare that source again.")
    labelled = 0 <= min(labels) and max(labels) < len(meta["class_names"])
    tail = np.asarray(labels, "<i4").tobytes() + np.asarray(sums, "<u4").tobytes()
    file.write(tail)
    file.seek(0)
    names = meta["class_names"] if labelled else []
    file.write(_header({**meta, "class_names": names, "tail_crc": zlib.crc32(tail)}, length))


def write(
    target: Path,
    source: str,
    shape: tuple[int, int, int, int],
    class_names: tuple[str, ...],
    rows: Iterable[tuple[np.ndarray, int]],
) -> None:
    """Writes `rows` of (uint8 [H, W, C], label) to `target`, whole or not at all. The lock must be held.

    A set with a label outside [0, len(class_names)) is kept as unlabelled. Raises Failure when the disk refuses.
    """
    meta = {"source": source, "shape": list(shape), "class_names": list(class_names)}
    with cache.writing(f"the image cache {target}"):
        need, free = int(np.prod(shape, dtype=np.int64)), shutil.disk_usage(target.parent).free
        if need > free:
            raise OSError(0, f"it needs {need / 1e6:.0f} MB and {free / 1e6:.0f} MB are free")
        with files.whole(target) as file:
            _fill(file, meta, rows)


# ------------------------------------------------------------------------------------------------------------- reading


class _DamagedError(Exception):
    pass


def _read_header(file) -> tuple[dict, int]:
    """The header's JSON and the place where the pixels begin."""
    prefix = file.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size or not prefix.startswith(_MAGIC):
        raise _DamagedError("it does not begin as an image cache does")
    _, version, length, crc = _PREFIX.unpack(prefix)
    if version != VERSION:
        raise _DamagedError(f"expected format version {VERSION}, found {version}")
    text = file.read(length)
    if len(text) != length or zlib.crc32(text) != crc:
        raise _DamagedError("its header is damaged")
    return json.loads(text), _PREFIX.size + length


def _check_pixels(target: Path, start: int, size: int, sums: np.ndarray) -> None:
    """Compares blocks of pixels with their checksums, on a few threads, through plain reads."""
    numbers = np.arange(len(sums))
    if size > FULL_CHECK:
        numbers = np.unique(np.linspace(0, len(sums) - 1, SAMPLED_BLOCKS).astype(int))

    def good(number: int) -> bool:
        length = min(BLOCK, size - number * BLOCK)
        with open(target, "rb") as file:
            file.seek(start + number * BLOCK)
            return zlib.crc32(file.read(length)) == sums[number]

    with ThreadPool(min(4, os.cpu_count() or 1)) as pool:
        for number, fine in zip(numbers, pool.imap(good, map(int, numbers)), strict=True):
            if not fine:
                raise _DamagedError(
                    f"its pixels are damaged between bytes {start + number * BLOCK} and {BLOCK} further"
                )


def _open(target: Path) -> Contents:
    with open(target, "rb") as file:
        meta, start = _read_header(file)
        shape = tuple(meta["shape"])
        size = int(np.prod(shape, dtype=np.int64))
        tail = 4 * shape[0] + 4 * -(-size // BLOCK)
        expected, found = start + size + tail, os.fstat(file.fileno()).st_size
        if expected != found:
            raise _DamagedError(f"expected {expected} bytes, found {found}")
        file.seek(start + size)
        ending = file.read(tail)
        if zlib.crc32(ending) != meta["tail_crc"]:
            raise _DamagedError("its labels are damaged")
        _check_pixels(target, start, size, np.frombuffer(ending, "<u4", offset=4 * shape[0]))
        pixels = np.memmap(file, np.uint8, "r", start, shape)
    labels = np.frombuffer(ending, "<i4", count=shape[0]) if meta["class_names"] else None
    return Contents(meta["source"], pixels, labels, tuple(meta["class_names"]))


def read(target: Path) -> Contents:
    """Checks and maps the file; raises Failure, naming it, when it is damaged or cannot be read."""
    try:
        return _open(target)
    except _DamagedError as error:
        raise Failure(f"The image cache {target} is damaged ({error}): delete it, and it is prepared again.") from None
    except OSError as error:
        raise Failure(f"Cannot read the image cache {target}: {error.strerror}.") from error


def source_of(target: Path) -> str | None:
    """The source that the file was prepared from; None when its header cannot be read."""
    try:
        with open(target, "rb") as file:
            return _read_header(file)[0]["source"]
    except (_DamagedError, OSError):
        return None
