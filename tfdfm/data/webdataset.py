"""WebDataset's tar shards (Aizman, Maltzahn & Breuel, IEEE Big Data 2019): KEY.jpg, and beside it its class in KEY.cls.

Nothing is unpacked: an image is read where it lies in its shard.
"""

import fnmatch
import functools
import hashlib
import io
import os
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tfdfm import stores
from tfdfm.data.image_files import SUFFIXES, ImageFile, of_classes
from tfdfm.data.source import Source
from tfdfm.errors import Failure, UsageError

LABEL = ".cls"
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


class _Member(NamedTuple):
    shard: Path
    start: int  # byte
    size: int

    def read(self) -> bytes:
        with self.shard.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)


def source(pattern: str) -> Source:
    """The images of shards: PATH, with {000..146} for numbers and * and ? as in file names.

    Classes are whole numbers from 0, named by them; without any .cls there are none.

    Raises:
        UsageError: no such shards, or no images in them.
        Failure: a damaged shard, an image without a class among others that have one, a class that is no number.
    """
    shards = _shards(pattern)
    digest, images, labels = hashlib.sha256(), {}, {}
    for shard in shards:
        about = shard.stat()
        digest.update(repr((shard.name, about.st_size, about.st_mtime_ns)).encode())
        for name, member in _members(shard):
            key, suffix = f"{shard}/{name[: len(name) - len(Path(name).suffix)]}", Path(name).suffix.lower()
            if suffix == LABEL:
                labels[key] = _label(name, member)
            elif suffix in SUFFIXES:
                images[key] = ImageFile(f"{shard}/{name}", functools.partial(_opened, member))
    if not images:
        raise UsageError(f"No images in {pattern}: expected KEY{' or KEY'.join(sorted(SUFFIXES))} in its shards.")
    return of_classes(f"WebDataset {pattern}", digest.hexdigest(), _classes(images, labels))


def _shards(pattern: str) -> list[Path]:
    names = [pattern]
    while any(map(_RANGE.search, names)):
        names = [name for given in names for name in _counted(given)]
    paths = _paths(names)
    found = [path for each in paths for path in sorted(each.parent.glob(each.name)) if path.is_file()]
    if missing := [path for path in paths if not (set("*?[") & set(path.name) or path.is_file())]:
        raise UsageError(f"Expected tar shards in {pattern}, but there is no {missing[0]}.")
    if not found:
        raise UsageError(f"Expected tar shards in {pattern}, found none.")
    return [path.resolve() for path in found]


def _paths(names: list[str]) -> list[Path]:
    """Where they lie on this machine; what is in a store is fetched."""
    places: dict[str, list[str]] = defaultdict(list)
    for folder, name in map(os.path.split, names):
        places[folder].append(name)
    found = {folder: stores.fetched(folder, functools.partial(_is_one_of, inside)) for folder, inside in places.items()}
    return [found[folder].expanduser() / name for folder, inside in places.items() for name in inside]


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


def _members(shard: Path) -> Iterator[tuple[str, _Member]]:
    try:
        with tarfile.open(shard, "r:") as archive:
            for info in archive:
                if info.isfile() and not Path(info.name).name.startswith("."):
                    yield info.name, _Member(shard, info.offset_data, info.size)
    except (OSError, tarfile.TarError) as error:
        raise Failure(f"Cannot read {shard} ({error}): expected an uncompressed tar of images. Replace it.") from None


def _opened(member: _Member) -> io.BytesIO:
    return io.BytesIO(member.read())


def _label(name: str, member: _Member) -> int:
    text = member.read().strip()
    if not (text.isdigit() and len(text) < 10):
        raise Failure(f"Expected the number of a class in {member.shard}/{name}, found {text[:40]!r}: repair it.")
    return int(text)


def _classes(images: dict[str, ImageFile], labels: dict[str, int]) -> dict[str, list[ImageFile]]:
    """{class: its images}, every number up to the highest, in their order; {"": all} where none has a label."""
    if not labels:
        return {"": list(images.values())}
    if lacking := [file.name for key, file in images.items() if key not in labels]:
        raise Failure(f"{lacking[0]} has no {LABEL} beside it, others have: give every image a class, or none.")
    classes: dict[str, list[ImageFile]] = defaultdict(list)
    for number in range(max(labels[key] for key in images) + 1):
        classes[str(number)] = []
    for key, file in images.items():
        classes[str(labels[key])].append(file)
    return classes
