"""tools/benchmark_serving.py measures what it says: its clients against a server, its arithmetic against numbers."""

import importlib.util
from pathlib import Path

import exports
import pytest
from running import ANY, config, serving

from tfdfm.sampling import saved_model

TOOL = Path(__file__).parents[2] / "tools" / "benchmark_serving.py"
CLASSES = 3


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_serving", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return saved_model.write(exports.trained(classes=CLASSES), tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def addresses(export):
    with serving(config(default=export.parent), rest_port=ANY) as running:
        ports = running.server.ports
        yield {"grpc": f"127.0.0.1:{ports['gRPC']}", "rest": f"http://127.0.0.1:{ports['REST']}"}


def test_the_goals_are_among_the_cells(benchmark):
    Cell = benchmark.Cell
    assert {Cell("grpc", "png", 32, 8), Cell("grpc", "png", 32, 1), Cell("rest", "float", 1, 1)} <= set(
        benchmark.SERVED
    )
    assert len(benchmark.SERVED) == len(set(benchmark.SERVED)) == 24


def test_clients_are_answered(benchmark, addresses):
    for cell in benchmark.SERVED:
        latencies = benchmark._load(addresses[cell.way], cell, benchmark._requests(cell, CLASSES), 0.01)
        assert len(latencies) >= cell.clients and min(latencies) > 0


def test_what_is_refused_is_not_measured(benchmark, addresses):
    for way in addresses:
        cell = benchmark.Cell(way, "png", 1, 8)
        with pytest.raises(Exception, match="INVALID_ARGUMENT|400"):
            benchmark._load(addresses[way], cell, benchmark._requests(cell, CLASSES + 1), 0.01)


def test_the_model_alone(benchmark, export):
    for cell in benchmark.BARE:
        assert min(benchmark._bare(str(export), CLASSES, cell, 0.01)) > 0


def test_the_summary(benchmark):
    bare, served = benchmark.Cell("bare", "png", 1, 64), benchmark.Cell("grpc", "png", 32, 8)
    rounds = [
        {bare: [0.5], served: [1.0] * 98 + [2.0, 2.0]},
        {bare: [1.0], served: [4.0]},
        {bare: [1.0], served: [8.0]},
    ]
    alone, merged = benchmark._summary(rounds)
    assert (alone["images_per_second"], alone["share_of_bare"]) == (64, 1)
    assert merged["images_per_second"] == 64  # of 251, 64 and 32
    assert merged["share_of_bare"] == 1  # of 251 / 128, 64 / 64 and 32 / 64
    assert (merged["percentile_50_ms"], merged["percentile_99_ms"]) == (4000, 4000)
    lines = list(benchmark.table([alone, merged]))
    assert lines[2].split() == ["grpc", "png", "32", "8", "64", "1.00", "4000.00", "4000.00"]
    assert len({len(line) for line in lines}) == 1
