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
