"""The callbacks of a run, on a model of one weight."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from itertools import accumulate
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdfm.errors import Failure
from tfdfm.runs import callbacks as module
from tfdfm.runs.callbacks import Signals, callbacks
from tfdfm.runs.checkpoints import Checkpoints
from tfdfm.runs.metrics_log import MetricsLog, TensorBoard, read
from tfdfm.runs.starts import Warnings
from tfdfm.training.schedule import Schedule
from tfdfm.training.trainer import Trainer

CONFIG = {
    "batch_size": 8,
    "n_critic": 1,
    "steps": 20,
    "log_every": 4,
    "sample_every": 10,
    "checkpoint_every": 6,
    "score_every": 0,
    "test_every": 0,
    "steps_per_execution": 2,
}


class Tiny(keras.Model):
    """A trainer as the callbacks see it; its one weight is a function of the steps done."""

    loss_names = ["generator/nonsaturating", "denoiser/dfm"]
    in_order = Trainer.in_order

    def __init__(self, bad_step=-1, pause=0.0, bad_weight=10**9):
        super().__init__()
        self.schedule = Schedule.of(CONFIG)
        first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.step = tf.Variable(0, dtype=tf.int64, aggregation=first)
        self.weight = tf.Variable(1.0, aggregation=first)
        self.bad_step, self.pause, self.bad_weight = bad_step, pause, bad_weight

    def call(self, x):
        return x

    def train_step(self, data):
        if self.pause:
            tf.numpy_function(lambda step: time.sleep(self.pause * (step >= 2)), [self.step], [])
        self.step.assign_add(1)
        self.weight.assign(tf.where(self.step == self.bad_weight, np.nan, self.weight * 1.1 + 0.3))
        bad = self.bad_step >= 0 and self.step >= self.bad_step
        logs = {
            "generator/nonsaturating": self.weight,
            "denoiser/dfm": self.weight / 3,
            "discriminator/accuracy_data": tf.constant(np.inf),
            "first_bad_step": tf.where(bad, tf.constant(self.bad_step, tf.int64), -1),
            "first_bad_term": tf.constant(1),
        }
        return {name: tf.reshape(value, [1]) for name, value in logs.items()}  # several workers need a dimension

    def variables_by_name(self):
        return {"step": self.step, "weight": self.weight}

    def grid(self):
        return np.full([5, 4, 4, 3], np.clip(self.step.numpy() / 20, -1, 1), np.float32)


def train(run_dir, trainer=None, config=CONFIG, chief=True):
    """What the command does; the signals and the trainer."""
    trainer = trainer or Tiny()
    trainer.compile(steps_per_execution=config["steps_per_execution"])
    checkpoints = Checkpoints(Path(run_dir) / "checkpoints", trainer.variables_by_name(), chief=chief)
    first = checkpoints.restore() or 0
    data = tf.data.Dataset.from_tensors(tf.zeros([8, 1])).repeat()
    with Signals() as signals:
        run = callbacks(
            run_dir, config, checkpoints, signals, chief=chief, first_step=first, warnings=Warnings(None, first)
        )
        trainer.fit(data, steps_per_epoch=config["steps"] - first, verbose=0, shuffle=False, callbacks=run)
    return signals, trainer


def lines(run_dir):
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in read(run_dir / "metrics.jsonl")]


def test_what_is_due_is_written_with_the_values_of_its_step(tmp_path):
    train(tmp_path)
    rows = read(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in rows] == [2, 4, 8, 12, 16, 20]
    weights = list(accumulate(range(20), lambda weight, _: weight * 1.1 + 0.3, initial=1.0))
    for row in rows:
        assert row["generator/nonsaturating"] == pytest.approx(weights[row["step"]], rel=1e-5)
        assert row["images_seen"] == row["step"] * 8 and row["discriminator/accuracy_data"] is None
        assert not row.keys() & {"first_bad_step", "first_bad_term"}
    assert rows[0]["images_per_second"] is None and all(row["images_per_second"] > 0 for row in rows[1:])
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["step_0000010.png", "step_0000020.png"]
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["0000018", "0000020"]
    picture = tf.io.decode_png((tmp_path / "samples" / "step_0000010.png").read_bytes())
    assert picture.shape == (9, 14, 3) and int(picture[0, 0, 0]) == 191


def test_a_resumed_run_writes_the_lines_of_one_never_stopped(tmp_path):
    train(tmp_path / "whole")
    trainer = Tiny(bad_step=15)  # ends in the middle, after lines that no checkpoint stands for
    with pytest.raises(Failure):
        train(tmp_path / "parts", trainer)
    with open(tmp_path / "parts" / "metrics.jsonl", "a") as file:
        file.write('{"step": 14, "generator/nons')
    _, trainer = train(tmp_path / "parts")
    assert int(trainer.step.numpy()) == 20
    assert lines(tmp_path / "parts") == lines(tmp_path / "whole")


def test_a_bad_loss_ends_the_run_with_step_term_and_checkpoint(tmp_path):
    with pytest.raises(
        Failure, match=r"^Step 15: the loss denoiser/dfm is not finite; .*checkpoints/0000012\..*--precision"
    ) as e:
        train(tmp_path, Tiny(bad_step=15))
    assert "\n" not in str(e.value)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["0000006", "0000012"]
    assert lines(tmp_path)[-1]["step"] == 12
    with pytest.raises(Failure, match=r"^Step 1: .*Last good checkpoint: none yet\."):
        train(tmp_path / "other", Tiny(bad_step=1))


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    with pytest.raises(Failure, match=r"^Step 12: the variable weight is not finite; .*checkpoints/0000006\."):
        train(tmp_path, Tiny(bad_weight=12))
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["0000006"]


@pytest.mark.parametrize(("worst", "said"), [(0.98, 0), (0.995, 1)])
def test_a_discriminator_that_is_never_wrong_is_said_once(tmp_path, caplog, worst, said):
    metrics = module.Metrics(
        MetricsLog(tmp_path / "metrics.jsonl", 0), TensorBoard(tmp_path / "board", 0), CONFIG, Warnings(tmp_path, 0)
    )
    metrics.set_model(Tiny())
    for step in range(4, 200, 4):
        metrics.model.step.assign(step)
        logs = {"discriminator/accuracy_data": 1.0, "discriminator/accuracy_samples": 1.0 if step < 12 else worst}
        metrics.on_train_batch_end(step - 1, {name: np.float32([value]) for name, value in logs.items()})
    assert sum("D saturates" in record.getMessage() for record in caplog.records) == said


def test_a_worker_that_is_not_the_chief_writes_nothing(tmp_path):
    train(tmp_path / "run", chief=False)
    assert not (tmp_path / "run").exists()


def test_a_run_directory_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="^Cannot write .*$"):
        train(tmp_path / "file" / "run")


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_shows_rate_and_time_left(tmp_path, monkeypatch, terminal):
    class Screen(io.StringIO):
        isatty = lambda self: terminal  # noqa: E731

    monkeypatch.setattr(module.sys, "stdout", screen := Screen())
    monkeypatch.setenv("COLUMNS", "120")
    train(tmp_path, Tiny(pause=0.05))
    text = screen.getvalue()
    shown = re.split("[\r\n]+", text.strip())
    assert shown[0].startswith("step 2/20  G nonsaturating 1.8")
    assert re.match(r"step 20/20  \d+ images/s  00:00:00 left  G nonsaturating [\d.]+  r dfm [\d.]+", shown[-1])
    assert text.endswith("\n") and (len(shown) > 3 if terminal else len(shown) == 2)


def test_handlers_are_restored_even_after_a_failure(tmp_path):
    before = [signal.getsignal(kind) for kind in Signals.KINDS], signal.set_wakeup_fd(-1)
    with pytest.raises(Failure):
        train(tmp_path, Tiny(bad_step=1))
    assert ([signal.getsignal(kind) for kind in Signals.KINDS], signal.set_wakeup_fd(-1)) == before


@pytest.fixture
def started():
    """Starts a run in a process of its own and waits for the end of its first call."""
    processes = []

    def start(run_dir, pause):
        process = subprocess.Popen([sys.executable, __file__, run_dir, str(pause)], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert "step 2/" in process.stdout.readline()
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kind", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.whole)])
def test_a_signal_saves_and_stops_and_the_run_goes_on_from_there(tmp_path, started, kind):
    process = started(tmp_path, 0.05)
    process.send_signal(kind)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + kind
    step = int(re.search(rf"stopped by {kind.name} at step (\d+)", out)[1])
    assert step < 20 and (tmp_path / "checkpoints" / f"{step:07d}").exists()
    for run_dir in (tmp_path, tmp_path / "whole"):
        train(run_dir)
    assert lines(tmp_path) == lines(tmp_path / "whole")


def test_a_second_signal_ends_at_once_even_within_a_call(tmp_path, started):
    process = started(tmp_path, 30)
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    assert process.wait(timeout=5) == 128 + signal.SIGTERM
    assert not (tmp_path / "checkpoints").exists()


def test_two_workers_stop_together_when_one_is_told(tmp_path):
    import cluster  # not of this file as a program

    workers = [
        subprocess.Popen(
            [sys.executable, __file__, tmp_path, "0.1"],
            env=os.environ | task,
            stdout=subprocess.PIPE,
            text=True,
        )
        for task in cluster.tasks(2)
    ]
    try:
        assert "step 1/" in workers[0].stdout.readline()
        workers[1].send_signal(signal.SIGINT)
        outs = [worker.communicate(timeout=60)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.stdout.close()
    stops = [re.search(r"at step (\d+)", out)[1] for out in outs]
    assert stops[0] == stops[1] and "SIGINT" in outs[1]
    assert (tmp_path / "checkpoints" / f"{int(stops[0]):07d}").exists()


def main(run_dir, pause):
    config, chief = dict(CONFIG), True
    if "TF_CONFIG" in os.environ:
        config |= {"steps_per_execution": 1, "steps": 60}
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        chief = strategy.cluster_resolver.task_id == 0
        with strategy.scope():
            trainer = Tiny(pause=pause)
    else:
        trainer = Tiny(pause=pause)
    signals, trainer = train(run_dir, trainer, config, chief)
    if signals.received:
        print(f"stopped by {signals.received.name} at step {int(trainer.step.numpy())}")
        sys.exit(128 + signals.received)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
