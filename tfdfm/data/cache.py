"""The cache folder: which file belongs to which data set, and who may prepare it just now."""

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from absl import logging

from tfdfm.data import cachefile


def folder(cache_dir: str | None) -> Path:
    """`cache_dir`, or tfdfm's own under XDG_CACHE_HOME."""
    if cache_dir:
        return Path(cache_dir).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tfdfm"


def stem(name: str, image_size: int | None) -> str:
    return f"{re.sub('[^A-Za-z0-9_.]+', '_', name)[-80:]}-{image_size or 'native'}"


def path(directory: Path, name: str, image_size: int | None, version: str) -> Path:
    """Where this set at this size from this version of its source lies; a changed source gets another file."""
    digest = hashlib.sha256(repr((name, image_size, version, cachefile.VERSION)).encode()).hexdigest()[:16]
    return directory / f"{stem(name, image_size)}-{digest}.tfdfm"


@contextlib.contextmanager
def locked(directory: Path, name: str) -> Iterator[None]:
    """Only one process at a time prepares `name`; the system frees the lock of a killed one."""
    target = directory / f"{stem(name, None)}.lock"
    with cachefile.writing(target):
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(target, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        with cachefile.writing(target):
            _acquire(handle, name)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, name: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logging.info("Waiting for another process that prepares %s.", name)
        fcntl.flock(handle, fcntl.LOCK_EX)


def find(directory: Path, name: str, image_size: int | None, sources: Iterable[str]) -> Path | None:
    """The newest cache of this set from one of `sources`, for when the source itself is no longer there."""
    candidates = directory.glob(f"{stem(name, image_size)}-*.tfdfm")
    found = [candidate for candidate in candidates if cachefile.source_of(candidate) in sources]
    return max(found, key=lambda candidate: candidate.stat().st_mtime, default=None)
