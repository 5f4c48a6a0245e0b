"""The folder of what is prepared once and used again, and who may prepare it just now."""

import contextlib
import fcntl
import functools
import os
from collections.abc import Iterator
from pathlib import Path

from absl import logging

from tfdfm import files

writing = functools.partial(
    files.writing, advice="Free space there or make it writable, or set XDG_CACHE_HOME to another folder."
)


def folder(cache_dir: str | None = None) -> Path:
    """`cache_dir`, or tfdfm's own under XDG_CACHE_HOME."""
    if cache_dir:
        return Path(cache_dir).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tfdfm"


@contextlib.contextmanager
def locked(directory: Path, name: str) -> Iterator[None]:
    """Only one process at a time prepares `name`, a file name; the system frees the lock of a killed one."""
    target = directory / f"{name}.lock"
    with writing(f"the cache {target}"):
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(target, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        with writing(f"the cache {target}"):
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
