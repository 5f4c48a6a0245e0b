"""The command as a process: its ports, TLS, and how it starts and ends."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import commands
import grpc
import numpy as np
import pytest
import servables
from grpc_health.v1 import health_pb2, health_pb2_grpc
from running import WAIT, arrays, request
from servables import floats
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tfdfm.serving import config_messages, server
from tfdfm.serving.prometheus import PATH


class Command:
    """A serving process; `line` is what it printed when it was ready."""

    def __init__(self, *flags, program=("-m", "tfdfm.serve")):
        self.process = subprocess.Popen(
            [sys.executable, *program, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.line = self.process.stdout.readline()
        assert self.line.startswith("Serving "), self.process.communicate(timeout=WAIT)

    def place(self, kind):
        return re.search(rf"{kind} (\S+?)(,|$)", self.line.strip())[1]

    def stub(self, credentials=None, target=None):
        target = target or self.place("gRPC")
        channel = grpc.secure_channel(target, credentials) if credentials else grpc.insecure_channel(target)
        return prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def end(self):
        """The exit code and stderr."""
        self.process.terminate()
        _, err = self.process.communicate(timeout=WAIT)
        return self.process.returncode, err


@pytest.fixture
def started():
    running = []

    def start(*flags, **program):
        running.append(Command(*flags, **program))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def gate(path: Path):
    return np.array([str(path).encode()], object)


def test_a_whole_life(started, tmp_path):
    """Ports, files, loopback, SIGTERM: in one process, because each takes seconds to start."""
    servables.gated(tmp_path / "base" / "3")
    (tmp_path / "monitoring").write_text('prometheus_config { enable: true path: "/metrics" }')
    (tmp_path / "batching").write_text("max_batch_size { value: 2 } num_batch_threads { value: 2 }")
    run = started(
        f"--model_base_path={tmp_path / 'base'}",
        "--model_name=gated",
        "--port=-1",
        "--rest_api_port=-1",
        f"--grpc_socket_path={tmp_path / 'socket'}",
        f"--monitoring_config_file={tmp_path / 'monitoring'}",
        f"--batching_parameters_file={tmp_path / 'batching'}",
        "--grpc_channel_arguments=grpc.max_receive_message_length=100000",
    )
    port = r"127\.0\.0\.1:[1-9]\d+"
    line = rf"Serving gated version 3: gRPC {port}, REST http://{port}, gRPC unix:{tmp_path}/socket\n"
    assert re.fullmatch(line, run.line), run.line
    assert {address[-8:] for address in listening(run.process.pid)} == {"0100007F"}  # ::ffff:127.0.0.1 too
    (tmp_path / "open").touch()
    stub = run.stub()
    for place in (stub, run.stub(target=f"unix:{tmp_path / 'socket'}")):
        response = place.Predict(request("gated", x=floats(5), gate=gate(tmp_path / "open")), WAIT)
        assert arrays(response)["y"] == 5
    for large, code in ((3, "INVALID_ARGUMENT"), (200_000, "RESOURCE_EXHAUSTED")):
        with pytest.raises(grpc.RpcError) as caught:
            asked = request("gated", x=np.zeros(large, np.float32), gate=np.repeat(gate(tmp_path / "open"), large))
            stub.Predict(asked, WAIT)
        assert caught.value.code().name == code
    with urllib.request.urlopen(f"{run.place('REST')}/metrics", timeout=WAIT) as page:
        assert b":tensorflow:serving:request_count" in page.read()
    with urllib.request.urlopen(f"{run.place('REST')}/v1/models/gated", timeout=WAIT) as page:
        assert b"AVAILABLE" in page.read()
    assert_it_ends_in_order(run, stub, tmp_path / "gate")


def test_what_is_stuck_is_given_up_at_a_second_signal(started, tmp_path):
    servables.gated(tmp_path / "base" / "3")
    (tmp_path / "batching").write_text("max_batch_size { value: 2 }")
    flags = f"--model_base_path={tmp_path / 'base'}", f"--batching_parameters_file={tmp_path / 'batching'}"
    run = started(*flags, "--model_name=gated", "--port=-1", "--rest_api_port=-1")
    waiting = run.stub().Predict.future(request("gated", x=floats(7), gate=gate(tmp_path / "never")), WAIT)
    wait_for(lambda: 'processed_batch_size_count{model_name="gated"} 1.0' in read(f"{run.place('REST')}{PATH}"))
    run.process.send_signal(signal.SIGTERM)
    health = health_pb2_grpc.HealthStub(grpc.insecure_channel(run.place("gRPC")))
    wait_for(lambda: health.Check(health_pb2.HealthCheckRequest(), WAIT).status == 2)
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(WAIT) == 1 and waiting.exception(WAIT).code() == grpc.StatusCode.UNAVAILABLE
    assert "given up" in run.process.communicate()[1]


def test_what_is_stuck_is_given_up_after_some_time(monkeypatch):
    class Stuck:
        async def start(self):
            os.kill(os.getpid(), signal.SIGTERM)

        def line(self):
            return "Serving"

        async def stop(self):
            await asyncio.Event().wait()

    def exits(code):
        raise SystemExit(code)

    monkeypatch.setattr(server, "_PATIENCE", 0.1)
    monkeypatch.setattr(os, "_exit", exits)
    with pytest.raises(SystemExit, match="1"):
        asyncio.run(server._serve(Stuck()))


def listening(process: int) -> set[str]:
    """The addresses, in hexadecimal, of the process's listening TCP sockets."""
    links = [link.readlink().name for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()]
    inodes = {name[8:-1] for name in links if name.startswith("socket:[")}
    rows = [row.split() for table in ("tcp", "tcp6") for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}


def assert_it_ends_in_order(run, stub, opened):
    """Health turns NOT_SERVING, new requests are refused, the one under way is answered, the exit code is 0."""
    waiting = stub.Predict.future(request("gated", x=floats(7), gate=gate(opened)), WAIT)
    health = health_pb2_grpc.HealthStub(grpc.insecure_channel(run.place("gRPC")))
    assert health.Check(health_pb2.HealthCheckRequest(), WAIT).status == 1
    under_way = ':tensorflow:serving:batching_session:processed_batch_size_count{model_name="gated"} 3.0'
    wait_for(lambda: under_way in read(f"{run.place('REST')}/metrics"))
    run.process.send_signal(signal.SIGTERM)
    wait_for(lambda: health.Check(health_pb2.HealthCheckRequest(), WAIT).status == 2)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request("gated", x=floats(1), gate=gate(opened)), WAIT)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    with pytest.raises(urllib.error.HTTPError) as refused:
        body = b'{"inputs": {"x": [1], "gate": ["x"]}}'
        urllib.request.urlopen(f"{run.place('REST')}/v1/models/gated:predict", body, timeout=WAIT)
    refused.value.close()
    assert refused.value.code == 503 and not waiting.done()
    opened.touch()
    assert arrays(waiting.result())["y"] == 7
    _, err = run.process.communicate(timeout=WAIT)
    assert run.process.returncode == 0 and "Traceback" not in err


def read(address):
    with urllib.request.urlopen(address, timeout=WAIT) as page:
        return page.read().decode()


def wait_for(condition):
    for _ in range(2000):
        if condition():
            return
        threading.Event().wait(0.01)
    pytest.fail("this did not come true")


def test_tls(started, certificates, tmp_path):
    servables.line(tmp_path / "base" / "1")
    ssl = config_messages.SSLConfig(
        server_key=certificates["server.key"].decode(),
        server_cert=certificates["server.crt"].decode(),
        custom_ca=certificates["ca.crt"].decode(),
        client_verify=True,
    )
    (tmp_path / "ssl").write_text(str(ssl))
    flags = f"--model_base_path={tmp_path / 'base'}", "--port=-1", "--rest_api_port=0"
    run = started(*flags, f"--ssl_config_file={tmp_path / 'ssl'}")
    assert "REST" not in run.line
    pair = certificates["client.key"], certificates["client.crt"]
    known = grpc.ssl_channel_credentials(certificates["ca.crt"], *pair)
    assert arrays(run.stub(known).Predict(request("default", x=floats(1)), WAIT))["y"] == 3
    for wrong in (None, grpc.ssl_channel_credentials(certificates["ca.crt"])):
        with pytest.raises(grpc.RpcError) as caught:
            run.stub(wrong).Predict(request("default", x=floats(1)), WAIT)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    code, err = run.end()
    assert code == 0 and "Traceback" not in err


def test_a_start_that_cannot_work_ends_in_one_line(tmp_path):
    (tmp_path / "base" / "1").mkdir(parents=True)
    flags = "--port=-1", "--rest_api_port=0", f"--model_base_path={tmp_path / 'base'}"
    done = commands.run([sys.executable, "-m", "tfdfm.serve", *flags], code=1)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("tfdfm: Cannot serve model 'default': version 1: Expected a SavedModel in ")
    assert "Traceback" not in done.stderr and done.stdout == ""


WINDOWS = """
import asyncio, sys
sys.modules["uvloop"] = None
asyncio.SelectorEventLoop.add_signal_handler = asyncio.AbstractEventLoop.add_signal_handler
from tfdfm import cli, serve
cli.run(serve.main, serve.define, serve.__doc__)
"""


def test_where_there_is_no_uvloop_and_loops_take_no_signals(started, tmp_path):
    servables.line(tmp_path / "1")
    flags = (f"--model_base_path={tmp_path}", "--model_name=m", "--port=-1", "--rest_api_port=0")
    run = started(*flags, program=("-c", WINDOWS))
    assert arrays(run.stub().Predict(request(x=floats(1)), WAIT))["y"] == 3
    code, err = run.end()
    assert code == 0 and "Stopping" in err, err
