"""tools/benchmark_metrics.py measures what it says."""

import importlib.util
import threading
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[2] / "tools" / "benchmark_metrics.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("benchmark_metrics", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_times_ours_beside_theirs_and_sees_what_they_hold(tool):
    def ours(x):
        held = np.ones(60 << 20, np.uint8)
        for _ in range(20):  # long enough to be seen
            held += x[0]

    theirs, before = threading.Event(), threading.active_count()
    case = tool.Case("task", 7, lambda folder: (np.ones(1, np.uint8),), ours, {"them": lambda x: theirs.set()})
    rows = tool.measure(case, 3)
    assert [(row["by"], row["limit"], row["task"]) for row in rows] == [("tfdfm", 7, "task"), ("them", None, "task")]
    assert 55 < rows[0]["megabytes"] < 100 and rows[1]["megabytes"] < 55
    assert rows[0]["seconds"] > 0 and theirs.is_set() and threading.active_count() == before


def test_features_are_mapped_and_differ(tool, tmp_path):
    one, other = tool.mapped(tmp_path, (7000, 64), (30, 64))
    assert one.shape == (7000, 64) and other.dtype == np.float32 and isinstance(one, np.memmap)
    assert one[:, 0].std() > 20 * one[:, -1].std() and abs(other.mean() - one.mean()) > 0.01


@pytest.mark.parametrize("name", ["frechet", "manifold", "inception", "nearest"])
def test_cases_run_on_little(tool, name, tmp_path):
    case = tool.CASES[name]
    arrays = tool.pixels(tmp_path, 3, 20) if name == "nearest" else tool.mapped(tmp_path, (1000, 8), (1000, 8))
    for function in (case.ours, *case.theirs.values()):
        assert function(*arrays[: 1 if name == "inception" else 2]) is not None
