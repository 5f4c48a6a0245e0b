"""The cache: a folder for what is prepared once and used again, by one process at a time."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

from absl import logging
from filelock import FileLock, Timeout

from tfdfm import files

writing = functools.partial(
    files.writing, advice="Free space there or make it writable, or set XDG_CACHE_HOME to another folder."
)


def folder(cache_dir: str | None = None) -> Path:
    """`cache_dir`, or tfdfm's own under XDG_CACHE_HOME."""
    if cache_dir:
        return Path(cache_dir).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tfdfm"


def once(directory: Path, name: str, there: Callable[[], bool], make: Callable[[], object]) -> None:
    """`make()`, unless it is `there()`, while no other process makes `name` (a file name) in this cache.

    The lock of a killed process is free again.
    """
    if there():
        return
    lock = FileLock(directory / f"{name}.lock")
    with writing(f"the cache {lock.lock_file}"):
        files.make_folder(directory)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logging.info("Waiting for another process that prepares %s.", name)
            lock.acquire()
    try:
        if not there():  # another process may have made it meanwhile
            make()
    finally:
        lock.release()
