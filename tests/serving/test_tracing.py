"""Traces by OpenTelemetry's own instrumentation of gRPC and aiohttp, which the server's process is started under."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request

import grpc
import servables
from running import WAIT, request
from tensorflow_serving.apis import prediction_service_pb2_grpc

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENTS = "b7ad6b7169203331", "b7ad6b7169203332"
SETTINGS = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def spans(text: str) -> list[dict]:
    found, decoder = [], json.JSONDecoder()
    while text := text[text.find("{") :] if "{" in text else "":
        span, end = decoder.raw_decode(text)
        found.append(span)
        text = text[end:]
    return found


def test_a_request_belongs_to_the_trace_of_its_caller(tmp_path):
    servables.line(tmp_path / "m" / "1")
    instrument = shutil.which("opentelemetry-instrument", path=os.path.dirname(sys.executable))
    command = [instrument, sys.executable, "-m", "tfdfm.serve", f"--model_base_path={tmp_path / 'm'}", "--model_name=m"]
    process = subprocess.Popen(
        [*command, "--port=-1", "--rest_api_port=-1"], env=os.environ | SETTINGS, stdout=subprocess.PIPE, text=True
    )
    try:
        _, _, place, _, rest = process.stdout.readline().replace(",", "").split()[3:8]
        parent = {"traceparent": f"00-{TRACE}-{PARENTS[0]}-01"}
        asked = urllib.request.Request(f"{rest}/v1/models/m:predict", b'{"instances": [1.0]}', parent)
        assert json.load(urllib.request.urlopen(asked, timeout=WAIT)) == {"predictions": [3.0]}
        with grpc.insecure_channel(place) as channel:
            predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
            predict(request(x=[1.0]), WAIT, metadata=[("traceparent", f"00-{TRACE}-{PARENTS[1]}-01")])
    finally:
        process.terminate()
    out, _ = process.communicate(timeout=WAIT)
    found = {span["parent_id"].removeprefix("0x"): span for span in spans(out)}
    assert {span["context"]["trace_id"] for span in found.values()} == {f"0x{TRACE}"} and found.keys() == set(PARENTS)
    assert found[PARENTS[0]]["attributes"]["http.target"] == "/v1/models/m:predict"
    assert found[PARENTS[1]]["name"] == "/tensorflow.serving.PredictionService/Predict"
