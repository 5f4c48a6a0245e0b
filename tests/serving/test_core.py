"""Many requests at a time: merged, counted, refused when there are too many, answered at the end. By gRPC."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import servables
from grpc_health.v1 import health_pb2, health_pb2_grpc
from running import WAIT, arrays, config, hold, refused, request, serving
from servables import floats

from tfdfm.serving.models.batching import QueueOptions

Code = grpc.StatusCode


def counted(server) -> np.ndarray:
    """Runs of at most one row, of at most four, and requests, of the gated model so far."""
    names = ('processed_batch_size_bucket{le="1.0",', 'processed_batch_size_bucket{le="4.0",', "queuing_latency_count{")
    lines = dict(line.rsplit(" ", 1) for line in server.server.metrics.text().decode().splitlines())
    place = ':tensorflow:serving:batching_session:{}model_name="gated"}}'
    return np.array([float(lines.get(place.format(name), 0)) for name in names])


def test_requests_are_merged_and_counted(server, tmp_path):
    before = counted(server)
    first, others = hold(server, str(tmp_path / "gate").encode(), [1], [2, 3], [4])
    (tmp_path / "gate").touch()
    assert [arrays(future.result())["y"].tolist() for future in (first, *others)] == [[0], [1], [2, 3], [4]]
    assert (counted(server) - before).tolist() == [1, 2, 4]


def test_a_deadline_that_passes_while_waiting_harms_no_other(server, tmp_path):
    gate = str(tmp_path / "gate").encode()
    first, (other,) = hold(server, gate, [1])
    late = server.future("gated", timeout=0.05, x=floats(9), gate=np.array([gate], object))
    assert late.code() == Code.DEADLINE_EXCEEDED
    (tmp_path / "gate").touch()
    assert arrays(first.result())["y"] == 0 and arrays(other.result())["y"] == 1


def test_a_bad_request_of_a_merged_run_harms_no_other(server):
    def ask(index):
        x = floats(-1) if index % 4 == 0 else floats(index * index)
        try:
            return arrays(server.prediction.Predict(request("many", "root", x=x), WAIT))["y"][0]
        except grpc.RpcError as error:
            return error.code()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(64)))
    assert answers == [Code.INVALID_ARGUMENT if index % 4 == 0 else index for index in range(64)]


def test_each_of_many_clients_gets_its_own(server):
    def ask(index):
        return server.predict("generator", seed=np.array([index]), labels=np.array([index % 3]))["images"][0, 0, 0, 0]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(100)))
    np.testing.assert_allclose(answers, [(index + index % 3) / 10 for index in range(100)], rtol=1e-6)


def test_counts_and_times_have_tf_servings_names(server):
    def count(status):
        sample = f':tensorflow:serving:request_count{{model_name="line",status="{status}"}} '
        lines = server.server.metrics.text().decode().splitlines()
        return next((float(line.removeprefix(sample)) for line in lines if line.startswith(sample)), 0)

    before = count("OK"), count("FAILED_PRECONDITION")
    server.predict("line", x=floats(1))
    refused(server.prediction.Predict, request("line", "x"), Code.FAILED_PRECONDITION)
    assert (count("OK"), count("FAILED_PRECONDITION")) == (before[0] + 1, before[1] + 1)
    text = server.server.metrics.text().decode()
    assert "# TYPE :tensorflow:serving:request_count counter" in text
    assert ':tensorflow:serving:request_latency_bucket{API="predict",entrypoint="GRPC",le="10.0",' in text


def test_clients_cannot_make_series_without_end(server):
    for number in range(3):
        refused(server.prediction.Predict, request(f"made-up-{number}"), Code.NOT_FOUND)
    assert b"made-up" not in server.server.metrics.text()


def test_what_breaks_in_the_server_is_said_without_its_inside(server, monkeypatch, caplog):
    monkeypatch.setattr(server.server.core, "call", lambda *_, **__: 1 / 0)
    message = refused(server.prediction.Predict, request("line", x=floats(1)), Code.INTERNAL)
    assert message == "ZeroDivisionError in the server; see its log."
    assert "1 / 0" in caplog.text


def test_a_full_queue(server, tmp_path, monkeypatch):
    monkeypatch.setattr(server.server.core, "_queue_options", QueueOptions(max_waiting=2))
    server.server.manager.models["gated"].servables[1]._queues.clear()
    gate = str(tmp_path / "gate").encode()
    first, (second,) = hold(server, gate, [1, 2])
    message = refused(
        server.prediction.Predict, request("gated", x=floats(3), gate=np.array([gate], object)), Code.RESOURCE_EXHAUSTED
    )
    assert "full" in message
    (tmp_path / "gate").touch()
    assert arrays(second.result())["y"].tolist() == [1, 2] and arrays(first.result())["y"] == 0


def test_a_message_has_a_limit(tmp_path):
    servables.line(tmp_path / "1")
    with serving(config(m=tmp_path), max_bytes=1000) as server:
        assert server.predict(x=floats(1))["y"] == 3
        refused(server.prediction.Predict, request(x=np.zeros(500, np.float32)), Code.RESOURCE_EXHAUSTED)
        assert server.predict(x=floats(1))["y"] == 3


def test_stopping_answers_what_is_under_way_and_refuses_the_rest(tmp_path):
    servables.gated(tmp_path / "1")
    with serving(config(m=tmp_path), poll_seconds=0) as server:
        gate = np.array([str(tmp_path / "gate").encode()], object)
        waiting = server.future(x=floats(7), gate=gate)
        servable = server.server.manager.models["m"].servables[1]
        server.look(lambda: servable._users == 2)
        seen, watched = [], threading.Event()

        def watch():
            try:
                for one in health_pb2_grpc.HealthStub(server.channel).Watch(health_pb2.HealthCheckRequest()):
                    seen.append(one.status)
                    watched.set()
            except grpc.RpcError:
                pass

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert watched.wait(WAIT)
        stopping = asyncio.run_coroutine_threadsafe(server.server.stop(), server.loop)
        server.look(lambda: server.server.manager.closing)
        message = refused(server.prediction.Predict, request(x=floats(1), gate=gate), Code.UNAVAILABLE)
        assert "shutting down" in message and not waiting.done()
        assert health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest(), WAIT).status == 2
        (tmp_path / "gate").touch()
        assert arrays(waiting.result())["y"] == 7
        stopping.result(WAIT)
        watcher.join(WAIT)
        assert seen == [1, 2]
