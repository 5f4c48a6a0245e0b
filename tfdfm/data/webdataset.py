"""WebDataset's tar shards (Aizman, Maltzahn & Breuel, IEEE Big Data 2019): KEY.jpg, and beside it its class in KEY.cls.

Nothing is unpacked: an image is read where it lies in its shard. Shards in an object store are copied to this machine;
where its disk has no room for them they are read in the store: for their contents, whenever these are asked for, and
for the images.
"""

import fnmatch
import functools
import hashlib
import io
import itertools
import os
import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import BinaryIO, NamedTuple

from tfdfm import stores
from tfdfm.data.image_files import SUFFIXES, ImageFile, decode, header, layout
from tfdfm.data.source import LOOKED_AT, Source
from tfdfm.errors import Failure, UsageError

LABEL = ".cls"
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


class _Shard(NamedTuple):
    name: str  # for messages
    open: Callable[[], AbstractContextManager[BinaryIO]]
    state: tuple  # another one once the shard is
    here: bool  # on this machine


class _Image(NamedTuple):
    name: str
    start: int  # byte
    size: int
    label: int  # -1 of those without


def source(pattern: str) -> Source:
    """The images of shards, in their order: PATH, with {000..146} for numbers and * and ? as in file names.

    Classes are whole numbers from 0, named by them; without any .cls there are none. The size and colours of shards
    that are read from a store are those of the first 1,000 images.

    Raises:
        UsageError: no such shards, or no images in them.
        Failure: a damaged shard, an image without a class among others that have one, a class that is no number.
    """
    shards = _shards(pattern)
    images = {shard: _images(shard) for shard in shards}
    labels = [image.label for shard in shards for image in images[shard]]
    if not labels:
        raise UsageError(f"No images in {pattern}: expected KEY{' or KEY'.join(sorted(SUFFIXES))} in its shards.")
    if (highest := max(labels)) >= 0 > min(labels):
        lacking = next(f"{shard.name}/{one.name}" for shard in shards for one in images[shard] if one.label < 0)
        raise Failure(f"{lacking} has no {LABEL} beside it, others have: give every image a class, or none.")

    def rows() -> Iterator[tuple[ImageFile, int]]:
        for shard in shards:
            with _reading(shard) as file:
                for image in images[shard]:
                    file.seek(image.start)
                    content = file.read(image.size)
                    yield ImageFile(f"{shard.name}/{image.name}", functools.partial(io.BytesIO, content)), image.label

    most = None if all(shard.here for shard in shards) else LOOKED_AT
    return Source(
        f"WebDataset {pattern}",
        hashlib.sha256(b"".join(repr(shard.state).encode() for shard in shards)).hexdigest(),
        len(labels),
        tuple(map(str, range(highest + 1))),
        lambda: layout(header(file) for file, _ in itertools.islice(rows(), most)),
        rows,
        decode,
    )


def _shards(pattern: str) -> list[_Shard]:
    names = [pattern]
    while any(map(_RANGE.search, names)):
        names = [name for given in names for name in _counted(given)]
    places: dict[str, list[str]] = defaultdict(list)
    for folder, name in map(os.path.split, names):
        places[folder].append(name)
    found = []
    for folder, inside in places.items():
        there = _lying(folder, functools.partial(_is_one_of, inside))
        for name in inside:
            matching = sorted(fnmatch.filter(there, name))
            if not (matching or set("*?[") & set(name)):
                raise UsageError(f"Expected tar shards in {pattern}, but there is no {os.path.join(folder, name)}.")
            found += [there[each] for each in matching]
    if not found:
        raise UsageError(f"Expected tar shards in {pattern}, found none.")
    return found


def _lying(folder: str, wanted: Callable[[str], bool]) -> dict[str, _Shard]:
    """What is `wanted` by its name there; what is in a store is fetched, or opened there if this disk has no room."""
    if streams := stores.streams(folder, wanted) if stores.is_url(folder) else {}:
        named = streams.items()
        return {name: _Shard(f"{folder}/{name}", opener, (name, state), False) for name, (opener, state) in named}
    found, here = {}, stores.fetched(folder, wanted).expanduser().resolve()
    for path in here.iterdir() if here.is_dir() else ():
        if wanted(path.name) and path.is_file():
            about = path.stat()
            state = path.name, about.st_size, about.st_mtime_ns
            found[path.name] = _Shard(str(path), functools.partial(path.open, "rb"), state, True)
    return found


def _is_one_of(patterns: list[str], name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _counted(name: str) -> Iterator[str]:
    match = _RANGE.search(name)
    if not match:
        yield name
        return
    first, last = match.groups()
    for number in range(int(first), int(last) + 1):
        yield f"{name[: match.start()]}{number:0{len(first)}}{name[match.end() :]}"


@contextmanager
def _reading(shard: _Shard) -> Iterator[BinaryIO]:
    """The opened shard. Raises Failure: it cannot be read, or is no tar; what a store refuses, it says itself."""

    def unreadable(error: Exception) -> Failure:
        return Failure(f"Cannot read {shard.name} ({error}): expected an uncompressed tar of images. Replace it.")

    try:
        with shard.open() as file:
            try:
                yield file
            except tarfile.TarError as error:
                raise unreadable(error) from None
    except OSError as error:
        raise unreadable(error) from None


def _images(shard: _Shard) -> list[_Image]:
    found, labels = [], {}
    with _reading(shard) as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for info in archive:
            key, suffix = os.path.splitext(info.name)
            if not info.isfile() or os.path.basename(info.name).startswith("."):
                continue
            if suffix.lower() == LABEL:
                labels[key] = _label(f"{shard.name}/{info.name}", archive.extractfile(info).read().strip())
            elif suffix.lower() in SUFFIXES:
                found.append((key, info))
    return [_Image(info.name, info.offset_data, info.size, labels.get(key, -1)) for key, info in found]


def _label(name: str, text: bytes) -> int:
    if not (text.isdigit() and len(text) < 10):
        raise Failure(f"Expected the number of a class in {name}, found {text[:40]!r}: repair it.")
    return int(text)
