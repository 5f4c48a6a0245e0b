"""The command: its flags, its ports, TLS, and how it starts and ends."""

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
from running import WAIT, arrays, config, request
from servables import floats
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tfdfm import command, serve
from tfdfm.errors import UsageError
from tfdfm.serving import batching, protos, server

pytestmark = pytest.mark.xdist_group("serving_serve")


class Command:
    """A serving process; `line` is what it printed when it was ready."""

    def __init__(self, *flags):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tfdfm.serve", *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
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

    def start(*flags):
        running.append(Command(*flags))
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


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, and a server's and a client's key and certificate that it signed."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=folder)

    make = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(*make, "-x509", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca", "-days", 2)
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("server", "client"):
        openssl(*make, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", 2, "-extfile", "names"]
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *signed)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_tls(started, certificates, tmp_path):
    servables.line(tmp_path / "base" / "1")
    ssl = protos.SSLConfig(
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


@pytest.fixture
def options(monkeypatch, tmp_path):
    """What the flags come to, without a server."""
    (tmp_path / "base").mkdir()
    got = []
    monkeypatch.setattr(server, "serve", got.append)
    monkeypatch.chdir(tmp_path)

    def make(*flags):
        base = () if any("model_" in flag for flag in flags) else ("--model_base_path=base",)
        serve.main(command.parse(["serve", *base, *flags], serve.define, serve.__doc__))
        return got.pop()

    return make


def test_the_defaults_are_those_of_tf_serving(options, tmp_path):
    made = options()
    assert made.config == config(default=tmp_path / "base")
    assert (made.host, made.port, made.rest_port, made.rest_timeout_ms) == ("127.0.0.1", 8500, 8501, 30_000)
    assert (made.poll_seconds, made.config_poll_seconds, made.early_labels, made.cors) == (1, 0, False, False)
    assert made.limits == batching.Settings() and made.limits.merge and made.ssl is None
    assert made.metrics_path == "/monitoring/prometheus/metrics"


def test_flags_are_those_of_tf_serving(options, tmp_path):
    (tmp_path / "models").write_text('model_config_list { config { name: "m" base_path: "/models/m" } }')
    (tmp_path / "batching").write_text("max_batch_size { value: 8 } allowed_batch_sizes: 8")
    (tmp_path / "monitoring").write_text("prometheus_config { enable: false }")
    made = options(
        "--model_config_file=models",
        "--model_name=ignored",
        "--model_base_path=ignored",
        "--model_config_file_poll_wait_seconds=60",
        "--file_system_poll_wait_seconds=0",
        "--enable_batching=true",
        "--batching_parameters_file=batching",
        "--monitoring_config_file=monitoring",
        "--rest_api_timeout_in_ms=5000",
        "--grpc_channel_arguments=grpc.max_concurrent_streams=10,grpc.optimization_target=latency",
        "--enable_grpc_healthcheck_service=false",
        "--allow_version_labels_for_unavailable_models",
        "--rest_api_enable_cors_support",
        "--host=0.0.0.0",
    )
    assert made.config.model_config_list.config[0].base_path == "/models/m"
    assert (made.poll_seconds, made.config_poll_seconds, made.early_labels, made.cors) == (0, 60, True, True)
    assert made.limits.max_rows == 8 and made.limits.sizes == (8,)
    assert made.metrics_path is None and made.rest_timeout_ms == 5000 and not made.health and made.host == "0.0.0.0"
    assert made.channel_arguments == (("grpc.max_concurrent_streams", 10), ("grpc.optimization_target", "latency"))


def test_batching_may_be_off(options):
    assert not options("--enable_batching=false").limits.merge


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model_name=m"], "--model_base_path=DIR"),
        (["--model_base_path=nothing"], "directory.*'nothing'"),
        (["--model_config_file=nothing"], "nothing"),
        (["--port=0", "--rest_api_port=0"], "all three are off"),
        (["--batching_parameters_file=x", "--enable_batching=false"], "enable_batching"),
        (["--grpc_channel_arguments=x"], "KEY=VALUE.*'x'"),
        (["--ssl_config_file=nothing"], "SSLConfig"),
        (["stray"], "stray"),
    ],
    ids=str,
)
def test_mistakes(options, flags, message):
    with pytest.raises(UsageError, match=message):
        options(*flags)


@pytest.mark.parametrize("kind", ["gRPC", "REST", "socket"])
def test_a_port_that_is_taken(tmp_path, kind):
    import socket

    from running import serving

    from tfdfm.errors import Failure

    servables.line(tmp_path / "base" / "1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flags = {"gRPC": {"port": port}, "REST": {"rest_port": port}, "socket": {"socket_path": "/nowhere/at/all"}}
        with pytest.raises(Failure, match="Cannot listen"), serving(config(m=tmp_path / "base"), **flags[kind]):
            pass


@pytest.mark.parametrize(("key", "cert"), [("", ""), ("no key", "no certificate")])
def test_damaged_keys(tmp_path, key, cert):
    from running import serving

    from tfdfm.errors import Failure

    servables.line(tmp_path / "base" / "1")
    ssl = protos.SSLConfig(server_key=key, server_cert=cert)
    with pytest.raises((Failure, UsageError), match="key"), serving(config(m=tmp_path / "base"), ssl=ssl):
        pass
