"""The files in serving/: read by the protocol's own messages, held to one another, and run by the embedded server."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import exports
import pytest
import requests
import servables
import yaml
from absl import flags
from grpc_health.v1 import health_pb2, health_pb2_grpc
from running import config, serving

from tfdfm import cli, serve
from tfdfm.sampling import saved_model
from tfdfm.serving import config_messages
from tfdfm.serving.server import ANY

ROOT = Path(__file__).parents[2]
SERVING = ROOT / "serving"
README = (SERVING / "README.md").read_text()
DOCKERFILE = dict(
    re.findall(r"^([A-Z]+) (.*)$", (SERVING / "Dockerfile").read_text().replace("\\\n", ""), re.M)
)  # of a repeated instruction the last
COMPOSE = yaml.safe_load((SERVING / "compose.yaml").read_text())["services"]["tfdfm"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def block(start: str) -> str:
    return next(text for text in [*blocks("bash"), *blocks("python")] if start in text)


def values(arguments: list[str]) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in arguments)


def test_models():
    (model,) = config_messages.read(
        SERVING / "models.config", config_messages.ModelServerConfig
    ).model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("default", "/models/default", "tensorflow")
    assert model.model_version_policy.HasField("all")
    assert dict(model.version_labels) == {"stable": 1}


def test_batching():
    parameters = config_messages.read(SERVING / "batching.config", config_messages.BatchingParameters)
    sizes = list(parameters.allowed_batch_sizes)
    assert sizes == sorted(set(sizes)) and sizes[-1] == parameters.max_batch_size.value == 64
    assert all(b <= 2 * a for a, b in zip(sizes[:-1], sizes[1:], strict=True))  # little is filled up in vain
    assert parameters.enable_large_batch_splitting.value


def test_monitoring():
    monitoring = config_messages.read(SERVING / "monitoring.config", config_messages.MonitoringConfig).prometheus_config
    assert monitoring.enable and monitoring.path == "/monitoring/prometheus/metrics"


def test_image_and_compose_are_one_server():
    assert DOCKERFILE["FROM"] == COMPOSE["image"] == "tensorflow/serving:2.20.0"
    assert json.loads(DOCKERFILE["CMD"]) == COMPOSE["command"]
    assert DOCKERFILE["USER"] == COMPOSE["user"] != "0"


def test_every_flag_is_the_embedded_servers_too():
    parsed = flags.FlagValues()
    serve.define(parsed)
    parsed(["serve", *COMPOSE["command"]])
    assert parsed.enable_batching and parsed.allow_version_labels_for_unavailable_models
    assert parsed.model_config_file_poll_wait_seconds == 60


def test_the_flags_name_files_that_are_there():
    sources = (SERVING / "Dockerfile").read_text()
    named = [value for flag, value in values(COMPOSE["command"]).items() if flag.endswith("_file")]
    assert len(named) == 3
    for path in named:
        folder, name = os.path.split(path)
        assert (SERVING / name).is_file()
        assert re.search(rf"^COPY .*\b{re.escape(name)}\b.* {folder}/$", sources, re.M)
        assert f".:{folder}:ro" in COMPOSE["volumes"]
    assert "COPY models /models\n" in sources and "./models:/models:ro" in COMPOSE["volumes"]


def test_ports_are_open_to_this_machine_only():
    ports = ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    assert COMPOSE["ports"] == ports
    assert all(f"-p {port}" in block("docker run") for port in ports)


def test_the_readme_serves_what_it_exported():
    assert "--out=serving/models/default" in block("tfdfm.export")
    given = values([word for word in shlex.split(block("tfdfm.serve")) if re.match("--[a-z_]+=[^<]", word)])
    container = values(COMPOSE["command"])
    for flag, value in given.items():
        assert value.replace("serving/", "/config/") == container[flag]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The folder in which the README's lines have run so far, and addresses for its ports."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(SERVING, folder / "serving", ignore=shutil.ignore_patterns("models"))
    saved_model.write(exports.trained(), folder / "serving" / "models" / "default")
    line = block("tfdfm.serve").strip().replace("python", f"exec {sys.executable}", 1)
    server = subprocess.Popen(
        ["bash", "-c", f"{line} --port=-1 --rest_api_port=-1"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        line = next((line for line in server.stdout if " gRPC " in line), "")
        yield folder, re.search(r"gRPC (\S+), REST http://(\S+)", line).groups()
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate()


def run(served, command: list[str], text: str) -> bytes:
    folder, (grpc, rest) = served
    text = text.replace("localhost:8501", rest).replace("localhost:8500", grpc)
    done = subprocess.run([*command, text], cwd=folder, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_every_request_of_the_readme_gives_the_same_picture(served):
    run(served, ["bash", "-c"], block("curl.png"))
    for text in blocks("python"):
        run(served, [sys.executable, "-c"], text)
    files = {path.name: path.read_bytes() for path in served[0].glob("*.png")}
    assert set(files) == {"curl.png", "client.png", "requests.png", "grpc.png"}
    assert len(set(files.values())) == 1 and files["curl.png"].startswith(b"\x89PNG")


def test_what_runs(served):
    said = run(served, ["bash", "-e", "-c"], block("/metadata")).decode()
    assert '"AVAILABLE"' in said and "from_latents" in said
    assert 'request_count{model_name="default",status="OK"}' in said


def test_the_embedded_server_has_read_the_batching_file(served):
    url = f"http://{served[1][1]}/v1/models/default:predict"
    assert requests.post(url, json={"inputs": {"seed": [1] * 64}}, timeout=60).status_code == 200
    refused = requests.post(url, json={"inputs": {"seed": [1] * 65}}, timeout=60)
    assert (refused.status_code, "at most 64 rows" in refused.json()["error"]) == (400, True)


def test_probes_of_the_manifests_are_answered(tmp_path):
    """By the embedded server, as the flags of KServe's manifest start it, and on the ports of the image."""
    deployment, service = yaml.safe_load_all((SERVING / "kubernetes.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501} == {each["name"]: each["port"] for each in service["spec"]["ports"]}
    assert container["livenessProbe"]["grpc"]["port"] == ports["grpc"]
    assert values(json.loads(DOCKERFILE["CMD"]))["enable_grpc_healthcheck_service"] == "true"
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()

    (open_protocol,) = list(yaml.safe_load_all((SERVING / "kserve.yaml").read_text()))[1]["spec"]["predictor"][
        "containers"
    ]
    module, *given = open_protocol["args"]
    asked = cli.parse(["", *given], serve.define, "")
    assert module == "tfdfm.serve" and asked.host == "0.0.0.0"
    assert asked.rest_api_port == open_protocol["ports"][0]["containerPort"]
    probes = [open_protocol[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")]
    assert all(probe["port"] == asked.rest_api_port for probe in probes)

    servables.line(tmp_path / "default" / "1")
    with serving(config(default=tmp_path / "default"), rest_port=ANY) as server:
        port = server.server.ports["REST"]
        for probe in (*probes, container["readinessProbe"]["httpGet"]):
            assert requests.get(f"http://127.0.0.1:{port}{probe['path']}", timeout=60).status_code == 200
        asked = health_pb2.HealthCheckRequest()
        answer = health_pb2_grpc.HealthStub(server.channel).Check(asked, timeout=60)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
