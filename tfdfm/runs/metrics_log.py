"""What a run writes down: metrics.jsonl and TensorBoard.

metrics.jsonl has one JSON object a line, "step" first, steps ascending, null where a number is not finite.
"""

import errno
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from tfdfm import files
from tfdfm.errors import UsageError
from tfdfm.runs.checkpoints import writing


def read(path: str | os.PathLike) -> list[dict]:
    """All lines. What a kill or a broken disk left half written is left out, and said in the log."""
    rows = []
    for number, line in enumerate(Path(path).read_bytes().splitlines(keepends=True), 1):
        row = _parse(line)
        if row is None:
            logging.warning("%s: line %d is incomplete and left out.", path, number)
        else:
            rows.append(row)
    return rows


def of_run(run_dir: Path) -> list[dict]:
    """The lines of a run's metrics.jsonl. Raises UsageError: none."""
    path = run_dir / "metrics.jsonl"
    if not path.exists() or not (found := read(path)):
        raise UsageError(f"Expected a run with lines in its metrics.jsonl, found none in {run_dir}.")
    return found


class MetricsLog:
    """Appends to the file; `after_step` is where the run starts: lines of later steps are cut off first."""

    def __init__(self, path: str | os.PathLike, after_step: int):
        self.path = Path(path)
        with writing(self.path):
            files.make_folder(self.path.parent)
            if self.path.exists():
                self._cut(after_step)
            self.path.touch()
            files.sync(self.path.parent)

    def write(self, step: int, values: Mapping[str, float | int | None]) -> None:
        """Appends one line at once. Floats of any width come back bit for bit."""
        row = files.finite({"step": step, **values})
        line = json.dumps(row, allow_nan=False).encode() + b"\n"
        with writing(self.path), open(self.path, "ab", buffering=0) as file:
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, "No space left on device")

    def sync(self) -> None:
        """Waits until all lines are on the disk."""
        with writing(self.path), open(self.path, "ab") as file:
            os.fsync(file.fileno())

    def _cut(self, step: int) -> None:
        kept = "".join(json.dumps(row) + "\n" for row in read(self.path) if row["step"] <= step).encode()
        if kept == self.path.read_bytes():
            return
        with files.whole(self.path) as file:
            file.write(kept)


class TensorBoard:
    """The run's TensorBoard: scalars and pictures.

    TensorFlow keeps every Python number that it made a tensor of, two kilobytes each: it is given NumPy's.
    """

    def __init__(self, directory: Path, first_step: int):
        self._directory = directory
        with writing(directory):
            directory.mkdir(parents=True, exist_ok=True)
            _start(directory, first_step + 1)
            self._writer = tf.summary.create_file_writer(str(directory))

    def scalars(self, step: int, values: Mapping[str, float | int | None]) -> None:
        with writing(self._directory), self._writer.as_default(step=np.asarray(step)):
            for name, value in values.items():
                if value is not None:
                    tf.summary.scalar(name, np.float32(value))
            self._writer.flush()

    def image(self, step: int, image: np.ndarray, tag: str = "samples") -> None:
        """uint8 [H, W, C]."""
        with writing(self._directory), self._writer.as_default(step=np.asarray(step)):
            tf.summary.image(tag, image[None])
            self._writer.flush()


def _parse(line: bytes) -> dict | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if line.endswith(b"\n") and isinstance(row, dict) and isinstance(row.get("step"), int) else None


def _start(directory: Path, step: int) -> None:
    """Marks a start: from the second one on, TensorBoard forgets what earlier files say of `step` and later ones."""
    start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
    with tf.io.TFRecordWriter(str(directory / f"events.out.tfevents.{int(time.time()):010d}.-start.v2")) as file:
        for event in ({"file_version": "brain.Event:2"}, {"step": step, "session_log": start}):
            file.write(tf.compat.v1.Event(wall_time=time.time(), **event).SerializeToString())
