import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdfm import files
from tfdfm.errors import Failure
from tfdfm.runs.checkpoints import Checkpoints


def state(value, size=20):
    return {
        "generator/layer.0/w:0": tf.Variable(tf.fill([size, 5], float(value))),
        "step": tf.Variable(value, dtype=tf.int64),
        "half": tf.Variable(tf.fill([7], tf.cast(value, tf.bfloat16))),
        "keras": keras.Variable(np.full([3], value, np.float32)),
    }


def values(variables):
    return {float(x) for variable in variables.values() for x in np.ravel(np.asarray(variable))}


def test_round_trip_of_every_bit(tmp_path):
    bits = np.random.default_rng(0).integers(0, 2**32, 999, np.uint32).view(np.float32)
    Checkpoints(tmp_path, {"a/b.c": tf.Variable(bits), "n": tf.Variable(2**53 + 1, dtype=tf.int64)}).save(12)
    other = {"n": tf.Variable(0, dtype=tf.int64), "a/b.c": tf.Variable(np.zeros_like(bits))}
    assert Checkpoints(tmp_path, other).restore() == 12
    assert np.array_equal(other["a/b.c"].numpy().view(np.uint32), bits.view(np.uint32))
    assert int(other["n"].numpy()) == 2**53 + 1


def test_nothing_there_is_none_and_the_newest_are_kept(tmp_path):
    variables = state(0)
    saver = Checkpoints(tmp_path / "deep" / "down", variables)
    assert saver.restore() is None and saver.latest() is None
    for step in (5, 10, 15, 15):
        variables["step"].assign(step)
        assert saver.save(step) == saver.latest()
    assert sorted(path.name for path in saver.directory.iterdir()) == ["0000010", "0000015"]
    assert saver.restore() == 15 and int(variables["step"].numpy()) == 15


def test_the_best_is_a_copy_of_its_own_and_the_only_one(tmp_path):
    variables = state(1)
    saver = Checkpoints(tmp_path, variables)
    for step in (1, 2, 2, 3, 4):
        variables["step"].assign(step)
        saver.save(step)
        if step < 4:
            saver.keep(step)
    (tmp_path / "0000004").rename(tmp_path / "0000004.old")  # a writer was killed
    assert Checkpoints(tmp_path / "best", variables).restore() == 3 and saver.steps() == ["3", "4"]
    assert [path.name for path in (tmp_path / "best").iterdir()] == ["0000003"]
    saver.keep(4)
    assert Checkpoints(tmp_path / "best", variables).restore() == int(variables["step"].numpy()) == 4


def test_an_old_one_is_not_half_removed_under_its_name(tmp_path, monkeypatch):
    """What a loss of power may undo: a rename that is not on the disk yet, of what is emptied already."""
    done, saver = [], Checkpoints(tmp_path, state(1), keep=1)
    saver.save(1)
    monkeypatch.setattr(files, "sync", lambda path: done.append(path))
    monkeypatch.setattr(shutil, "rmtree", lambda path, **kwargs: done.append(f"removed {path.name}"))
    saver.save(2)
    assert done[-4:] == [tmp_path, "removed .writing", tmp_path, "removed .writing"]


def test_only_the_chief_writes(tmp_path):
    Checkpoints(tmp_path / "a", state(1), chief=False).save(1)
    assert not (tmp_path / "a").exists()


def broken(path):
    """Every way to break the checkpoint in `path`: (what, file, bytes or None for no file)."""
    for file in sorted(path.iterdir()):
        good = file.read_bytes()
        yield file, None
        for length in {0, 1, len(good) // 2, len(good) - 1}:
            yield file, good[:length]
        for position in range(0, len(good), 1 if file.suffix != ".data-00000-of-00001" else 7):
            yield file, good[:position] + bytes([good[position] ^ 0x10]) + good[position + 1 :]


def test_any_damage_leads_to_the_one_before(tmp_path):
    for step in (1, 2):
        Checkpoints(tmp_path, state(step)).save(step)
    newest = tmp_path / "0000002"
    variables = state(9)
    for file, content in list(broken(newest)):
        good = file.read_bytes()
        file.unlink() if content is None else file.write_bytes(content)
        assert Checkpoints(tmp_path, variables).restore() == 1, (file, content)
        assert values(variables) == {1.0}
        file.write_bytes(good)
    assert Checkpoints(tmp_path, variables).restore() == 2 and values(variables) == {2.0}


def test_the_log_names_what_is_damaged_and_the_next_save_removes_it(tmp_path, caplog):
    variables = state(3)
    for step in (1, 2, 3):
        Checkpoints(tmp_path, variables).save(step)
    (tmp_path / "0000003" / "state.index").write_bytes(b"")
    saver = Checkpoints(tmp_path, variables)
    assert saver.restore() == 2 and saver.latest() == tmp_path / "0000002"
    assert "0000003 is damaged" in caplog.text
    saver.save(2)
    assert [path.name for path in tmp_path.iterdir()] == ["0000002"]


def test_none_good_is_a_failure_that_names_them(tmp_path):
    for step in (1, 2):
        path = Checkpoints(tmp_path, state(step)).save(step)
        (path / "state.data-00000-of-00001").unlink()
    variables = state(9)
    with pytest.raises(Failure, match=r"^No good checkpoint in .*: 0000002, 0000001 are damaged.*$"):
        Checkpoints(tmp_path, variables).restore()
    assert values(variables) == {9.0}


def test_another_model_is_a_failure_that_names_the_variables(tmp_path):
    Checkpoints(tmp_path, state(1)).save(1)
    others = state(9) | {"new/w": tf.Variable(9.0), "step": tf.Variable(9.0)}
    del others["half"]
    with pytest.raises(
        Failure, match=r"1 not in it \(new/w\); 1 unknown \(half\); 1 of another shape or type \(step\)"
    ):
        Checkpoints(tmp_path, others).restore()
    assert values(others) == {9.0}


def test_full_disk_is_one_line_and_leaves_the_earlier_ones(tmp_path):
    Checkpoints(tmp_path, state(1)).save(1)
    large = Checkpoints(tmp_path, {"w": tf.Variable(tf.zeros([300_000]))})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(Failure, match=rf"^Cannot write {tmp_path}: File too large\. Free space.*$"):
            large.save(2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["0000001"]
    assert Checkpoints(tmp_path, state(9)).restore() == 1


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="^Cannot write .*: (File exists|Not a directory).*$"):
        Checkpoints(tmp_path / "file" / "checkpoints", state(1)).save(1)


def test_a_variable_that_is_not_finite_is_named(tmp_path):
    variables = state(1)
    saver = Checkpoints(tmp_path, variables)
    assert saver.not_finite() is None
    variables["half"].assign([1, 1, np.nan, 1, 1, 1, 1])
    assert saver.not_finite() == "half"


@pytest.mark.parametrize("part", [pytest.param("kills", marks=pytest.mark.whole), "replicas"])
def test_in_a_process_of_its_own(tmp_path, part):
    subprocess.run([sys.executable, __file__, part, tmp_path], check=True, timeout=240)


def in_child(work):
    """The id of a fork, in which `work` runs; this process has imported TensorFlow but not started it."""
    if (child := os.fork()) == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def save_all(directory, steps, kill_at=None):
    """Saves step after step; dies before the `kill_at`-th thing that save asks of the system."""
    calls = 0

    def deadly(function):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    variables = state(0, 200_000 if kill_at is None else 20)
    saver = Checkpoints(directory, variables, keep=1)
    first = saver.restore() or 0
    for name in ("replace", "mkdir", "write_text"):
        setattr(Path, name, deadly(getattr(Path, name)))
    for owner, name in ((files, "sync"), (shutil, "rmtree"), (tf.raw_ops, "SaveV2"), (os, "rmdir")):
        setattr(owner, name, deadly(getattr(owner, name)))
    for step in steps or range(first + 1, 10**9):
        for variable in variables.values():
            variable.assign(tf.cast(tf.fill(variable.shape, step % 128), variable.dtype))
        saver.save(step)
        (directory / "saving").write_bytes(b"%d" % step)
        os.replace(directory / "saving", directory / "saved")  # whole, whenever this is killed


def check_in_child(directory, size):
    assert os.waitpid(in_child(lambda: check(directory, size)), 0)[1] == 0


def check(directory, size):
    saved = directory / "saved"
    least = int(saved.read_bytes()) if saved.exists() else 0
    variables = state(0, size)
    step = Checkpoints(directory, variables).restore() or 0
    assert step >= least, (step, least)
    assert values(variables) == {float(step % 128)}, step


def kills(directory):
    for moment in range(1, 100):
        shutil.rmtree(directory)
        directory.mkdir()
        status = os.waitpid(in_child(lambda m=moment: save_all(directory, (1, 2, 2), m)), 0)[1]
        if status == 0:
            break
        assert status == signal.SIGKILL, status
        check_in_child(directory, 20)
    assert moment > 25, "save asks more than that of the system"
    shutil.rmtree(directory)
    directory.mkdir()
    for trial in range(6):
        child = in_child(lambda: save_all(directory, None))
        time.sleep(random.Random(trial).uniform(0.2, 1.0))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        check_in_child(directory, 200_000)
    assert int((directory / "saved").read_bytes()) > 10


def replicas(directory):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

    def mirrored(value):
        with strategy.scope():
            return state(value) | {
                "statistics": tf.Variable(
                    float(value),
                    False,
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.MEAN,
                )
            }

    Checkpoints(directory, mirrored(3)).save(7)
    two, one = mirrored(9), {name: tf.Variable(tf.zeros_like(v)) for name, v in mirrored(0).items()}
    for variables in (two, one):
        assert Checkpoints(directory, variables).restore() == 7
    assert values(one) == {3.0}
    copies = [copy for v in two.values() for copy in (v.value if isinstance(v, keras.Variable) else v).values]
    assert {float(x) for copy in copies for x in np.ravel(copy.numpy())} == {3.0} and len(copies) == 10


if __name__ == "__main__":
    {"kills": kills, "replicas": replicas}[sys.argv[1]](Path(sys.argv[2]))
