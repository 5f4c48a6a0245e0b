"""What clients of TF Serving's gRPC rely on: predict, metadata, status, health. One server, real sockets."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from running import WAIT, State, arrays, refused, request
from servables import floats
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

Code = grpc.StatusCode


def test_an_answer_names_version_and_signature(server):
    response = server.prediction.Predict(request("line", x=floats(1, 2)), WAIT)
    assert response.model_spec.name == "line" and response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"
    assert arrays(response)["y"].tolist() == [3, 5]
    response = server.prediction.Predict(request("line", version=1, signature="serving_default", x=floats(1)), WAIT)
    assert arrays(response)["y"].tolist() == [3]


def test_values_are_in_typed_fields(server):
    given = {"x": floats(1.5), "n": np.array([2**62]), "s": np.array([b"\xff"], object)}
    outputs = server.prediction.Predict(request("many", "several", **given), WAIT).outputs
    assert list(outputs["sum"].float_val) == [2.0**62] and list(outputs["echo"].int64_val) == [2**62]
    assert list(outputs["text"].string_val) == [b"\xff"] and len(outputs["half"].half_val) == 1
    assert not any(proto.tensor_content for proto in outputs.values())


def test_inputs_may_come_in_typed_fields_too(server):
    proto = tf.make_tensor_proto(1.0)
    proto.tensor_shape.dim.add(size=2)
    assert server.predict("line", x=proto)["y"].tolist() == [3, 3]


def test_a_signature_need_not_tell_the_truth_about_shapes(server):
    """Clients of small models send what the model takes, whatever its signature says."""
    assert server.predict("line", x=floats(1, 2)[None])["y"].tolist() == [[3, 5]]
    assert server.predict("many", signature="matrix", x=floats(1))["y"].tolist() == [2]


def test_the_filter_chooses_outputs(server):
    given = {"x": floats(1), "n": np.array([1]), "s": np.array([b""], object)}
    response = server.prediction.Predict(request("many", "several", filter=["echo", "sum"], **given), WAIT)
    assert set(response.outputs) == {"echo", "sum"}
    for wrong in (["echo", "nope"], ["echo", "echo"]):
        refused(server.prediction.Predict, request("many", "several", filter=wrong, **given), Code.INVALID_ARGUMENT)


def predict(**spec):
    return predict_pb2.PredictRequest(model_spec=spec) if spec else predict_pb2.PredictRequest()


CASES = {
    "no spec": (predict(), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
    "no name": (predict(name="", signature_name="x"), Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
    "model": (request("nope"), Code.NOT_FOUND, "Servable not found for request: Latest(nope)"),
    "version": (request("line", version=9), Code.NOT_FOUND, "Servable not found for request: Specific(line, 9)"),
    "label": (request("line", label="x"), Code.INVALID_ARGUMENT, "Unrecognized servable version label: x"),
    "signature": (request("line", "x"), Code.FAILED_PRECONDITION, 'Serving signature key "x" not found.'),
    "input": (
        request("line", z=floats(1)),
        Code.INVALID_ARGUMENT,
        "input size does not match signature: 1!=1. Sent extra: {z}. Missing but required: {x}.",
    ),
    "dtype": (request("line", x=np.array([1])), Code.INVALID_ARGUMENT, "float32"),
    "shape": (
        request("generator", seed=np.array([[1]]), labels=np.array([0])),
        Code.INVALID_ARGUMENT,
        "Expects input 'seed' of shape [-1] (-1: any size), given [1, 1].",
    ),
    "tensor": (predict_pb2.PredictRequest(model_spec={"name": "line"}, inputs={"x": {}}), Code.INVALID_ARGUMENT, ""),
    "filter": (request("line", filter=["q"], x=floats(1)), Code.INVALID_ARGUMENT, "q"),
    "run": (request("many", "root", x=floats(-1)), Code.INVALID_ARGUMENT, "below zero"),
    "label out of range": (
        request("generator", seed=np.array([1]), labels=np.array([-1])),
        Code.INVALID_ARGUMENT,
        "Expected labels in [0, 3), given -1.",
    ),
    "latents": (
        request("generator", "from_latents", latents=np.full([1, 2], np.nan, np.float32), labels=np.array([0])),
        Code.INVALID_ARGUMENT,
        "finite",
    ),
    "rows": (request("line", x=np.zeros(5000, np.float32)), Code.INVALID_ARGUMENT, "batch size of 5000"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_predicted(server, case):
    asked, code, message = CASES[case]
    assert message in refused(server.prediction.Predict, asked, code)


def test_long_messages_are_cut(server):
    message = refused(server.prediction.Predict, request("line", "x" * 2000), Code.FAILED_PRECONDITION)
    assert message.endswith("...TRUNCATED") and len(message) == 1024 + len("...TRUNCATED")


def test_an_empty_batch_is_answered(server):
    assert server.predict("line", x=floats())["y"].tolist() == []


def test_scalars_are_served(server):
    response = server.prediction.Predict(request("many", "scalar", x=np.float32(2)), WAIT)
    assert arrays(response)["y"] == 3
    response = server.prediction.Predict(request("many", "name", x=np.float32(2)), WAIT)
    assert response.outputs["name"].string_val == [b"\xff"]


def test_a_large_batch_is_answered_whole(server):
    values = np.arange(1000, dtype=np.float32)
    np.testing.assert_array_equal(server.predict("line", x=values)["y"], 2 * values + 1)


def metadata(name, *fields, **spec):
    return get_model_metadata_pb2.GetModelMetadataRequest(model_spec={"name": name} | spec, metadata_field=fields)


def test_metadata_holds_the_signatures(server):
    response = server.prediction.GetModelMetadata(metadata("many", "signature_def"), WAIT)
    assert response.model_spec.name == "many" and response.model_spec.version.value == 1
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    assert set(found.signature_def) == {"scalar", "name", "matrix", "root", "total", "several", "rows"}
    assert found.signature_def["several"].inputs["n"].dtype == tf.int64.as_datatype_enum
    assert found.signature_def["several"].method_name == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (metadata("line"), Code.INVALID_ARGUMENT),
        (metadata("line", "weights"), Code.INVALID_ARGUMENT),
        (metadata("line", "signature_def", "x"), Code.INVALID_ARGUMENT),
        (get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]), Code.INVALID_ARGUMENT),
        (metadata("nope", "signature_def"), Code.NOT_FOUND),
        (metadata("line", "signature_def", version={"value": 7}), Code.NOT_FOUND),
    ],
    ids=str,
)
def test_metadata_that_cannot_be_had(server, asked, code):
    refused(server.prediction.GetModelMetadata, asked, code)


def status(**spec):
    return get_model_status_pb2.GetModelStatusRequest(model_spec=spec)


def test_status(server):
    for asked in (
        status(name="line"),
        status(name="line", version={"value": 1}),
        status(name="line", version_label=""),
    ):
        (found,) = server.models.GetModelStatus(asked, WAIT).model_version_status
        assert (found.version, found.state, found.status.error_code) == (1, State.AVAILABLE, 0)


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (status(name="nope"), Code.NOT_FOUND, "Could not find any versions of model nope"),
        (status(name="line", version={"value": 9}), Code.NOT_FOUND, "Could not find version 9 of model line"),
        (get_model_status_pb2.GetModelStatusRequest(), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
    ],
)
def test_status_of_what_is_not_there(server, asked, code, message):
    assert message in refused(server.models.GetModelStatus, asked, code)


def test_health(server):
    stub = health_pb2_grpc.HealthStub(server.channel)
    for name in ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"):
        assert stub.Check(health_pb2.HealthCheckRequest(service=name), WAIT).status == 1
    refused(stub.Check, health_pb2.HealthCheckRequest(service="nope"), Code.NOT_FOUND)
    assert stub.List(health_pb2.HealthListRequest(), WAIT).statuses[""].status == 1
    assert next(stub.Watch(health_pb2.HealthCheckRequest(), WAIT)).status == 1


@pytest.mark.parametrize("method", ["Check", "Watch"])
def test_bytes_that_ask_for_no_health(server, method):
    make = server.channel.unary_stream if method == "Watch" else server.channel.unary_unary
    call = make(f"/grpc.health.v1.Health/{method}")
    ask = (lambda *args, **kwargs: next(call(*args, **kwargs))) if method == "Watch" else call
    message = refused(ask, b"\xff", Code.INVALID_ARGUMENT)
    assert message == f"Expected a message of /grpc.health.v1.Health/{method}."
