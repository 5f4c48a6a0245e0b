"""Files that appear whole or not at all, and one line for what a disk refuses."""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from numbers import Integral, Real
from pathlib import Path
from typing import Any, BinaryIO

import tensorflow as tf

from tfdfm.errors import Failure


@contextmanager
def writing(path: str | os.PathLike, advice: str = "Free space or choose another folder.") -> Iterator[None]:
    """Turns what the disk refuses into a `Failure` that names `path`, the cause and what to do."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        text = getattr(error, "message", None) or str(error)
        cause = getattr(error, "strerror", None) or text.splitlines()[0].split("; ")[-1].split(" [Op:")[0]
        raise Failure(f"Cannot write {path}: {cause}. {advice}") from error


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to fill, synced and renamed to `path` at the end; gone if anything fails. One writer at a time."""
    temporary = path.with_name(f".{path.name}.writing")  # one name: what a killed writer left is written over
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Makes it where it is not there yet, and those above it; each is on the disk when this returns."""
    above = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in above:
        sync(each.parent)


def write_json(path: Path, value: Any) -> None:
    """The value by `finite`, indented. Raises Failure: the disk refuses."""
    with writing(path), whole(path) as file:
        file.write(json.dumps(finite(value), indent=2, allow_nan=False).encode() + b"\n")


def sync(path: Path) -> None:
    """Waits until a file or folder is on the disk."""
    windows = os.name == "nt"  # which syncs files that are open for writing, and no folders
    if windows and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def finite(value: Any) -> Any:
    """A value for JSON, which has no NaN: null in its place, at any depth."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    if isinstance(value, Integral) or not isinstance(value, Real):
        return value
    return float(value) if math.isfinite(value) else None
