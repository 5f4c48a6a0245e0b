"""Two worker processes on one machine train and agree, with each other and with one process (issue 2, point 4)."""

import os
import subprocess
import sys
from pathlib import Path

import cluster
import numpy as np
import pytest

from tfdfm.runs import metrics_log
from tfdfm.sampling import restore

ROOT = Path(__file__).parents[2]
RECIPE = """
from tfdfm.recipes import defaults

def get_config():
    config = defaults()
    config.update(dataset="digits", latent_size=8, batch_size=8, steps=3, jit="off")
    config.update(batch_norm="frozen", score_every=2)
    config.generator.width = config.discriminator.width = 4
    config.denoiser.update(depth=1, width=16)
    config.optimizer.update(learning_rate=1e-2, epsilon=1e-3)
    return config
"""
COMMAND = """
import runpy, sys
import numpy as np
from tfdfm.classifiers.binding import Classifier
from tfdfm.classifiers import lookup
from tfdfm.runs import run

def answer(images):
    pixels = images.reshape(len(images), -1).astype("float32")
    return pixels[:, 100:104], pixels[:, 120:130]

lookup.of_data = lambda *_: Classifier("dataset", {"accuracy": 0.5}, 10, answer)
build, made = run.build_trainer, []
run.build_trainer = lambda *arguments: made.append(build(*arguments)) or made[0]
out = sys.argv.pop()
try:
    runpy.run_module("tfdfm.train", run_name="__main__")
finally:
    made and np.savez(out, **{name: variable.numpy() for name, variable in made[0].variables_by_name().items()})
"""


def start(folder, name, **environment):
    """`python -m tfdfm.train` in a process of its own that leaves its last weights in NAME.npz."""
    command = [sys.executable, "-c", COMMAND, f"--config={folder / 'toy.py'}", f"--run_dir={folder / name}"]
    with open(folder / f"{name}.log", "w") as log:
        return subprocess.Popen(
            [*command, folder / f"{name}.npz"], cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log
        )


@pytest.mark.slow
def test_two_workers_agree_with_each_other_and_with_one_process(tmp_path):
    (tmp_path / "toy.py").write_text(RECIPE)
    processes = [start(tmp_path, "one")]
    try:
        assert processes[0].wait(150) == 0, (tmp_path / "one.log").read_text()[-3000:]
        processes += [start(tmp_path, f"worker{i}", **task) for i, task in enumerate(cluster.tasks(2))]
        for index, process in enumerate(processes[1:]):
            assert process.wait(240) == 0, (tmp_path / f"worker{index}.log").read_text()[-3000:]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    one, first, second = (dict(np.load(tmp_path / f"{name}.npz")) for name in ("one", "worker0", "worker1"))
    assert first.keys() == second.keys() == one.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
        np.testing.assert_allclose(first[name], value, rtol=0, atol=3e-5 * np.abs(value).max() + 1e-9, err_msg=name)
    lines = [metrics_log.read(tmp_path / name / "metrics.jsonl") for name in ("one", "worker0")]
    for line, other in zip(*lines, strict=True):
        scores = {key: value for key, value in line.items() if key.startswith("score/")}
        assert bool(scores) == (line["step"] > 1)
        assert {key: other[key] for key in scores} == pytest.approx(scores, rel=1e-3)
    assert restore.load(tmp_path / "worker0", "best").step in (2, 3)
    assert not (tmp_path / "worker1").exists()
