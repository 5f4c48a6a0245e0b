"""tools/growth.py fits what it measures."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from tfdfm import cli, data
from tfdfm.errors import Failure, UsageError

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(TOOLS))  # it imports benchmark.py beside it
    spec = importlib.util.spec_from_file_location("growth", TOOLS / "growth.py")
    sys.modules["growth"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(TOOLS))
    del sys.modules["growth"], sys.modules["benchmark"]


@pytest.mark.parametrize("b", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("c", [0.0, 6.0])
def test_the_exponent_of_a_power_beside_a_constant(tool, b, c):
    sizes = np.array([1e4, 4e4, 16e4, 128e4])
    costs = c + 3e-5 * sizes**b if b else np.full(4, 5.0)
    assert abs(tool.exponent(sizes, costs) - b) <= 0.011
    assert tool.shown("images", [10, 20], {"s": [1.0, 2.0]})[1].split()[:3] == ["s", "1", "2"]


def test_its_shards_are_as_many_images_as_asked_for(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "SHARD", 30)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tool.shards(tmp_path, 70)
    found = data.load(f"webdataset:{tmp_path}/*.tar", image_size=16)
    assert found.pixels.shape == (70, 16, 16, 1) and len(list(tmp_path.glob("*.tar"))) == 3
    assert len(np.unique(found.pixels, axis=0)) == 70


def test_what_it_cannot_measure_is_one_line(tool):
    with pytest.raises(UsageError, match="images, pixels, replicas, given 'hosts'"):
        tool.main(cli.parse(["", "--measure=hosts"], tool.define, ""))
    with pytest.raises(Failure, match=r"ended with 3: no$"):
        tool._command([sys.executable, "-c", "import sys; sys.stderr.write('no'); sys.exit(3)"], {})


@pytest.mark.whole
def test_the_commands_that_it_times(tool):
    first, own, later, _ = tool.prepared(40, []).values()
    assert first > 0 and later > 0 and own > 100
