import json
import math
import resource
from contextlib import contextmanager

import numpy as np
import psutil
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from searching import examples
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from tfdfm.errors import Failure
from tfdfm.runs.metrics_log import MetricsLog, TensorBoard, read
from tfdfm.training.schedule import Schedule


@contextmanager
def full_disk(limit):
    """No file grows beyond `limit` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_float32_values_come_back_bit_for_bit(tmp_path):
    bits = np.random.default_rng(0).integers(0, 2**32, 2000, np.uint32).view(np.float32)
    values = {f"v{i}": v for i, v in enumerate(bits[np.isfinite(bits)])}
    journal = MetricsLog(tmp_path / "metrics.jsonl", 0)
    journal.write(3, values)
    (row,) = read(journal.path)
    assert list(row)[0] == "step" and row.pop("step") == 3
    assert np.array_equal(
        np.float32(list(row.values())).view(np.uint32), np.float32(list(values.values())).view(np.uint32)
    )


def test_what_is_not_finite_is_null_and_the_lines_are_valid_json(tmp_path):
    journal = MetricsLog(tmp_path / "metrics.jsonl", 0)
    journal.write(1, {"a": math.nan, "b": math.inf, "c": None, "images_seen": 64})
    assert journal.path.read_text() == '{"step": 1, "a": null, "b": null, "c": null, "images_seen": 64}\n'


def test_resume_cuts_later_and_torn_lines_only(tmp_path):
    path = tmp_path / "metrics.jsonl"
    whole = MetricsLog(path, 0)
    for step in (1, 10, 20):
        whole.write(step, {"loss": 1 / step})
    wanted = path.read_bytes()
    for after in (
        b'{"step": 30, "loss": 1.5}\n',
        b'{"step": 30, "lo',
        b'{"step": 30}',
        b"\0\0\0",
        b'{"step": 30}\n{"st',
        b"",
    ):
        path.write_bytes(wanted + after)
        resumed = MetricsLog(path, 20)
        resumed.sync()
        assert path.read_bytes() == wanted
        resumed.write(30, {"loss": 0.5})
        assert [row["step"] for row in read(path)] == [1, 10, 20, 30]
    assert MetricsLog(path, 0).path.read_bytes() == b""  # killed before the first checkpoint: all over again
    assert list(tmp_path.iterdir()) == [path]


@examples(60)
@given(
    schedule=st.builds(Schedule, st.integers(1, 40), st.integers(1, 6), *[st.integers(1, 9)] * 3),
    kills=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), max_size=4),
)
def test_a_run_that_is_killed_anywhere_leaves_the_lines_of_one_that_was_not(tmp_path, schedule, kills):
    """Each kill after a step of those that are left, with so many bytes of a line written."""

    def lines(first, last):
        """Writes those of the steps after `first`; the last checkpoint's step."""
        journal, saved = MetricsLog(path, first), first
        for step in range(first + 1, last + 1):
            if schedule.logged(step):
                journal.write(step, {"loss": 1 / step, "images_seen": 64 * step})
            saved = step if schedule.due("checkpoint", step) else saved
        return saved

    path, first = tmp_path / "metrics.jsonl", 0
    path.unlink(missing_ok=True)
    lines(0, schedule.steps)
    whole = path.read_bytes()
    path.unlink()
    for steps, torn in kills:
        first = lines(first, min(first + steps, schedule.steps - 1))
        with path.open("ab") as file:
            file.write(b'{"step": 1000000, "loss": 0.125, "images_seen": 1}\n'[:torn])
    lines(first, schedule.steps)
    assert path.read_bytes() == whole


def test_every_torn_tail_is_left_out_by_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"step": step, "loss": 0.25}).encode() + b"\n" for step in (1, 2)]
    for length in range(len(lines[1])):
        path.write_bytes(lines[0] + lines[1][:length])
        assert read(path) == [{"step": 1, "loss": 0.25}]


def test_a_full_disk_is_one_line_and_the_next_start_repairs(tmp_path):
    journal = MetricsLog(tmp_path / "metrics.jsonl", 0)
    journal.write(1, {"loss": 1.0})
    with (
        full_disk(len(journal.path.read_bytes()) + 5),
        pytest.raises(Failure, match="^Cannot write .*metrics.jsonl: .*$"),
    ):
        for step in (2, 3):
            journal.write(step, {"loss": 1.0})
    MetricsLog(journal.path, 1)
    assert read(journal.path) == [{"step": 1, "loss": 1.0}]


def test_a_full_disk_under_tensorboard_is_one_line(tmp_path):
    board = TensorBoard(tmp_path, 0)
    with full_disk(2000), pytest.raises(Failure, match="^Cannot write [^\n]*: File too large[^\n]*$"):
        for step in range(100):
            board.scalars(step, {"loss": 1.0})


def test_a_folder_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="^Cannot write .*: (File exists|Not a directory).*$"):
        MetricsLog(tmp_path / "file" / "metrics.jsonl", 0)
    with pytest.raises(Failure, match="^Cannot write .*$"):
        TensorBoard(tmp_path / "file" / "tensorboard", 0)


def test_tensorboard_forgets_the_steps_after_a_resume(tmp_path):
    def write(first_step, steps, value):
        board = TensorBoard(tmp_path, first_step)
        for step in steps:
            board.scalars(step, {"loss": value, "rate": None})
            board.image(step, np.zeros((4, 4, 1), np.uint8))

    write(0, (1, 2, 3), 1.0)
    for old in sorted(tmp_path.iterdir()):  # event files are read in the order of their names, which hold the second
        old.rename(tmp_path / ("events.out.tfevents.0000000001." + old.name.split(".", 4)[-1]))
    write(2, (3, 4), 2.0)
    seen = EventAccumulator(str(tmp_path)).Reload()
    points = [(event.step, float(tf.make_ndarray(event.tensor_proto))) for event in seen.Tensors("loss")]
    assert points == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]
    assert [event.step for event in seen.Tensors("samples")] == [1, 2, 3, 4]


def test_scalars_leave_nothing_in_memory(tmp_path):
    board, process = TensorBoard(tmp_path, 0), psutil.Process()
    names = [f"loss {number}" for number in range(20)]
    for step in range(400):
        if step == 50:
            before = process.memory_info().rss
        board.scalars(step, {name: step + number / 20 for number, name in enumerate(names)})
    assert process.memory_info().rss - before < 4e6  # it was 17: a number that TensorFlow met as Python's was kept
