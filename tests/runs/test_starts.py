import os
import platform
import subprocess
import sys

import pytest
import tensorflow as tf

from tfdfm.runs.metrics_log import read
from tfdfm.runs.starts import STARTS, WARNINGS, Warnings, started


def test_a_kind_is_said_once_in_a_run_and_again_where_its_step_is_done_again(tmp_path, caplog):
    warnings = Warnings(tmp_path, 0)
    for step, kind in ((3, "decay"), (5, "collapse"), (6, "collapse")):
        warnings.say(step, kind, f"{kind} at {step}")
    assert [line["text"] for line in read(tmp_path / WARNINGS)] == ["decay at 3", "collapse at 5"]
    assert [record.getMessage() for record in caplog.records] == ["Step 3: decay at 3", "Step 5: collapse at 5"]
    resumed = Warnings(tmp_path, 4)  # what came after step 4 is yet to be done
    for kind in ("decay", "collapse"):
        resumed.say(7, kind, f"{kind} at 7")
    assert [line["text"] for line in read(tmp_path / WARNINGS)] == ["decay at 3", "collapse at 7"]


def test_a_worker_that_does_not_write_says_it_all_the_same(tmp_path, caplog):
    Warnings(None, 0).say(3, "decay", "decay")
    assert "decay" in caplog.text and not list(tmp_path.iterdir())


def test_every_start_has_a_line(tmp_path):
    for step in (0, 10, 6):
        started(tmp_path, step, 2, True, {"precision": "float32"})
    lines = read(tmp_path / STARTS)
    assert [line["step"] for line in lines] == [0, 6]  # the start at 10 is of a part that is done again
    assert lines[0]["replicas"] == 2 and lines[0]["xla"] and lines[0]["tensorflow"] == tf.__version__
    assert lines[0]["cpu"] and lines[0]["gpus"] == []


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN is of x86")
def test_a_start_on_other_kernels_says_so_in_one_line(tmp_path, caplog):
    """oneDNN's are used wherever the CPU can, unless the user has said otherwise."""
    started(tmp_path, 0, 1, False, {"precision": "float32"})
    started(tmp_path, 3, 1, False, {"precision": "float32"})
    assert read(tmp_path / STARTS)[0]["onednn"] is True and not caplog.records
    script = "import pathlib, sys; from tfdfm.runs import starts; "
    script += "starts.started(pathlib.Path(sys.argv[1]), 5, 1, False, {'precision': ''})"
    command = [sys.executable, "-c", script, tmp_path]
    off = subprocess.run(command, env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"}, capture_output=True, text=True)
    assert "Not as at the last start: onednn: True -> False. Results agree to rounding, not to the bit." in off.stderr
    env = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    on = subprocess.run(command, env=env, capture_output=True, text=True)
    assert "onednn: False -> True" in on.stderr
    assert [line["onednn"] for line in read(tmp_path / STARTS)] == [True, True, False, True]
