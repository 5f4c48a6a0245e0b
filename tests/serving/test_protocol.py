"""What clients of TF Serving rely on, sent by gRPC and by REST: the same answers, the same mistakes by their codes."""

import base64
import json
import re

import grpc
import numpy as np
import pytest
import servables
from asking import Asking
from running import ANY, WAIT, arrays, config, refused, request, serving
from servables import floats
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

Code = grpc.StatusCode
NAMES = ("line", "many", "estimator", "generator")
HTTP = {Code.INVALID_ARGUMENT: 400, Code.FAILED_PRECONDITION: 400, Code.NOT_FOUND: 404}
LINE = "/v1/models/line"
HUGE = 2**63 - 1


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name in NAMES:
        getattr(servables, name)(folder / name / "1")
    with serving(config(**{name: folder / name for name in NAMES}), rest_port=ANY, poll_seconds=0) as running:
        running.ask = Asking(running.server.ports["REST"])
        yield running
        running.ask.session.close()


MISTAKES = {  # by gRPC, by REST, the code, what is said
    "unknown model": (
        request("no", x=floats(1)), ("/v1/models/no", {"instances": [1.0]}), Code.NOT_FOUND, r"Latest\(no\)"),
    "unknown version": (
        request("line", version=9, x=floats(1)), (f"{LINE}/versions/9", {"instances": [1.0]}),
        Code.NOT_FOUND, r"Servable not found for request: Specific\(line, 9\)"),
    "the highest version": (
        request("line", version=HUGE, x=floats(1)), (f"{LINE}/versions/{HUGE}", {"instances": [1.0]}),
        Code.NOT_FOUND, rf"Specific\(line, {HUGE}\)"),
    "unknown label": (
        request("line", label="x", x=floats(1)), (f"{LINE}/labels/x", {"instances": [1.0]}),
        Code.INVALID_ARGUMENT, "Unrecognized servable version label: x"),
    "unknown signature": (
        request("line", "no", x=floats(1)), (LINE, {"signature_name": "no", "instances": [1.0]}),
        Code.FAILED_PRECONDITION, 'Serving signature key "no" not found'),
    "missing input": (
        request("many", "several", x=floats(1)),
        ("/v1/models/many", {"signature_name": "several", "inputs": {"x": [1.0]}}),
        Code.INVALID_ARGUMENT, "[Mm]issing"),
    "other input": (
        request("line", z=floats(1)), (LINE, {"inputs": {"z": [1.0]}}), Code.INVALID_ARGUMENT, "[Mm]issing"),
    "wrong type": (
        request("line", x=np.array([b"a"], object)), (LINE, {"instances": ["a"]}), Code.INVALID_ARGUMENT, "x|float"),
    "what the model refuses": (
        request("many", "root", x=floats(-1)), ("/v1/models/many", {"signature_name": "root", "instances": [-1.0]}),
        Code.INVALID_ARGUMENT, "below zero"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_the_same_by_both(both, mistake):
    asked, (path, body), code, said = MISTAKES[mistake]
    details = refused(both.prediction.Predict, asked, code)
    status, answer = both.ask("POST", f"{path}:predict", body)
    assert status == HTTP[code] and answer.keys() == {"error"}
    for text in (details, answer["error"]):
        assert re.search(said, text), text


@pytest.mark.parametrize(
    ("model", "signature", "inputs"),
    [
        ("line", "", {"x": floats(1.5, -2, 1e-8, 3e38)}),
        ("line", "", {"x": floats(float("nan"), float("inf"), -float("inf"))}),
        ("many", "matrix", {"x": np.ones([2, 3], np.float32)}),
        ("many", "scalar", {"x": np.float32(2)}),
        ("many", "total", {"x": floats(1, 2)}),
        ("generator", "serving_default", {"seed": np.array([-(2**63), 2**63 - 1]), "labels": np.array([0, 1])}),
        ("generator", "png", {"seed": np.array([1, 2]), "labels": np.array([0, 1])}),
    ],
)
def test_an_answer_is_the_same_by_both(both, model, signature, inputs):
    response = both.prediction.Predict(request(model, signature, **inputs), WAIT)
    assert (response.model_spec.version.value, response.model_spec.signature_name) == (
        1,
        signature or "serving_default",
    )
    by_grpc = arrays(response)
    sent = json.dumps({"signature_name": signature, "inputs": {name: value.tolist() for name, value in inputs.items()}})
    status, answer = both.ask("POST", f"/V1/Models/{model}/Versions/1:Predict", sent)
    assert status == 200, answer
    (name,), outputs = by_grpc, answer["outputs"]  # the name of a single one is not in it
    if name.endswith("_bytes"):
        assert [base64.b64decode(each["b64"]) for each in outputs] == by_grpc[name].tolist()
    else:
        np.testing.assert_array_equal(np.array(outputs, by_grpc[name].dtype), by_grpc[name])


def test_status_and_metadata_are_the_same_by_both(both):
    states = both.states("line")
    _, answer = both.ask("GET", LINE)
    assert {int(one["version"]): one["state"] for one in answer["model_version_status"]} == states == {1: "AVAILABLE"}
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "many"
    found = get_model_metadata_pb2.SignatureDefMap()
    both.prediction.GetModelMetadata(asked, WAIT).metadata["signature_def"].Unpack(found)
    _, answer = both.ask("GET", "/v1/models/many/metadata")
    shown = answer["metadata"]["signature_def"]["signature_def"]
    assert shown.keys() == found.signature_def.keys() and answer["model_spec"]["version"] == "1"
    sizes = shown["matrix"]["inputs"]["x"]["tensor_shape"]["dim"]
    assert [one["size"] for one in sizes] == ["-1", "-1"]
    for name, version, said in (("no", None, "versions of model no"), ("line", 9, "version 9 of model line")):
        status = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": name})
        if version:
            status.model_spec.version.value = version
        by_grpc = refused(both.models.GetModelStatus, status, Code.NOT_FOUND)
        code, by_rest = both.ask("GET", f"/v1/models/{name}" + (f"/versions/{version}" if version else ""))
        assert code == 404 and said in by_grpc and said in by_rest["error"]
