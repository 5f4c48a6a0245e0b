"""The Open Inference Protocol as a client of others sees it (Triton's), by REST and gRPC: the same as TF Serving's."""

import json
import time

import numpy as np
import pytest
import servables
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from asking import Asking, error
from running import config, serving
from servables import floats
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from tfdfm import version
from tfdfm.serving.grpc import open_inference as by_grpc
from tfdfm.serving.http.open_inference import HEADER
from tfdfm.serving.server import ANY

KINDS = {"<f4": "FP32", "<i8": "INT64", "|O": "BYTES", "<f2": "FP16"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for number in (1, 2):
        servables.line(folder / "line" / str(number), slope=float(number))
    servables.many(folder / "many" / "1")
    servables.generator(folder / "generator" / "1")
    models = config(line=folder / "line", many=folder / "many", generator=folder / "generator")
    models.model_config_list.config[0].model_version_policy.all.SetInParent()
    with serving(models, rest_port=ANY, poll_seconds=0) as running:
        yield running


@pytest.fixture(scope="module", params=["REST", "gRPC"])
def client(server, request):
    """Triton's client and the module of its classes."""
    module = {"REST": triton_http, "gRPC": triton_grpc}[request.param]
    made = module.InferenceServerClient(f"127.0.0.1:{server.server.ports[request.param]}")
    yield made, module
    made.close()


@pytest.fixture
def ask(server):
    return Asking(server.server.ports["REST"])


def infer(client, model, outputs=(), signature="", **inputs):
    """Arrays by name, and the answer itself."""
    made, module = client
    sent = []
    for name, values in inputs.items():
        sent.append(module.InferInput(name, list(values.shape), KINDS[values.dtype.str]))
        sent[-1].set_data_from_numpy(values)
    wanted = [module.InferRequestedOutput(name) for name in outputs]
    parameters = {"signature_name": signature} if signature else None
    return made.infer(model, sent, outputs=wanted or None, parameters=parameters, request_id="7")


def test_health_and_metadata(client):
    made, _ = client
    assert made.is_server_live() and made.is_server_ready()
    assert made.is_model_ready("line") and made.is_model_ready("line", "1")
    assert not made.is_model_ready("line", "9") and not made.is_model_ready("nobody")
    text = {"as_json": True} if made.__class__.__module__.startswith("tritonclient.grpc") else {}
    about = made.get_server_metadata(**text)
    assert about == {"name": "tfdfm", "version": version.__version__, "extensions": ["binary_tensor_data"]}
    about = made.get_model_metadata("line", **text)
    shape = ["-1"] if text else [-1]
    assert about == {
        "name": "line",
        "versions": ["1", "2"],
        "platform": "tensorflow_savedmodel",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": shape}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": shape}],
    }


def test_inference_is_that_of_tf_serving(client, server):
    found = infer(client, "line", x=floats(1, 2))
    np.testing.assert_array_equal(found.as_numpy("y"), server.predict("line", x=floats(1, 2))["y"])
    made, module = client
    sent = module.InferInput("x", [1], "FP32")
    sent.set_data_from_numpy(floats(3))
    assert made.infer("line", [sent], model_version="1").as_numpy("y").tolist() == [4]


def test_every_type_goes_as_bytes(client):
    given = {"x": floats(1, 2), "n": np.array([1, 2]), "s": np.array([b"\xff\x00", b""], object)}
    found = infer(client, "many", signature="several", outputs=["sum", "echo", "text", "half"], **given)
    assert found.as_numpy("sum").tolist() == [2, 4] and found.as_numpy("echo").tolist() == [1, 2]
    assert found.as_numpy("text").tolist() == [b"\xff\x00", b""]
    assert found.as_numpy("half").tolist() == [1, 2] and found.as_numpy("half").dtype == np.float16


def test_text_goes_in_json_too(ask):
    given = [("x", "FP32", [1, 2]), ("n", "INT64", [1, 2]), ("s", "BYTES", ["a", "\u00e9"])]
    inputs = [{"name": name, "datatype": kind, "shape": [2], "data": values} for name, kind, values in given]
    sent = {"parameters": {"signature_name": "several"}, "inputs": inputs, "outputs": [{"name": "text"}]}
    _, answer = ask("POST", "/v2/models/many/infer", sent)
    assert answer["outputs"] == [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a", "\u00e9"]}]


def test_images(client):
    found = infer(client, "generator", seed=np.array([1, 2]), labels=np.array([0, 1]))
    assert found.as_numpy("images").shape == (2, 2, 2, 1)
    pngs = infer(client, "generator", signature="png", seed=np.array([1]), labels=np.array([0])).as_numpy("image_bytes")
    assert pngs[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("model", "inputs", "said"),
    [
        ("nobody", {"x": floats(1)}, "Servable not found for request: Latest.nobody."),
        ("line", {"z": floats(1)}, "Sent extra: {z}. Missing but required: {x}."),
        ("line", {"x": np.array([1])}, "float32 but int64"),
        ("generator", {"seed": np.array([1]), "labels": np.array([9])}, r"Expected labels in \[0, 3\), given 9"),
    ],
)
def test_mistakes(client, model, inputs, said):
    with pytest.raises(InferenceServerException, match=said):
        infer(client, model, **inputs)


def body(**more):
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2]} | more]}


def test_json_alone(ask):
    expected = {"model_name": "line", "model_version": "2"}
    y = {"name": "y", "datatype": "FP32", "shape": [2], "data": [3.0, 5.0]}
    assert ask("POST", "/v2/models/line/infer", body()) == (200, expected | {"outputs": [y]})
    nested = body(shape=[2, 1], data=[[1], [2]]) | {"id": "a"}
    answer = {"id": "a"} | expected | {"outputs": [y | {"shape": [2, 1]}]}
    assert ask("POST", "/v2/models/line/infer", nested) == (200, answer)
    one = {"model_name": "line", "model_version": "1", "outputs": [y | {"data": [2.0, 3.0]}]}
    assert ask("POST", "/v2/models/line/versions/1/infer", body()) == (200, one)
    assert ask("GET", "/v2/health/live") == (200, {"live": True})
    assert ask("GET", "/v2/models/line/versions/9/ready") == (404, {"name": "line", "ready": False})


@pytest.mark.parametrize(
    ("path", "sent", "expected"),
    [
        ("/v2/models/line/infer", "{", error("JSON Parse error")),
        ("/v2/models/line/infer", {"inputs": 1}, error("list of objects in 'inputs'")),
        ("/v2/models/line/infer", body(shape=[3]), error("Expected 3 values of FP32 in 'data' of input 'x'")),
        ("/v2/models/line/infer", body(shape=[-1]), error("sizes from 0 for input 'x', given [-1]")),
        ("/v2/models/line/infer", body(shape=[1 << 40]), error("at most 67108864 bytes")),
        ("/v2/models/line/infer", body(shape=[True, 2]), error("shape of whole numbers")),
        ("/v2/models/line/infer", body(datatype="FP8"), error("Expected a datatype of BOOL, UINT8")),
        ("/v2/models/line/infer", body(data=["1", "2"]), error("2 values of FP32")),
        ("/v2/models/line/infer", body(datatype="UINT8", data=[1, 300]), error("one is too large")),
        ("/v2/models/line/infer", body(parameters={"binary_data_size": 9}), error("within the body, given 9")),
        ("/v2/models/line/infer", body(parameters=[]), error("object in 'parameters'")),
        ("/v2/models/line/versions/x/infer", body(), error("Failed to convert version: x")),
        (f"/v2/models/line/versions/{'0' * 20}{'9' * 6000}/infer", body(), error("Failed to convert version: 00")),
        ("/v2/models/line/predict", body(), error("Malformed request: POST /v2/models/line/predict", 404)),
    ],
)
def test_what_json_cannot_ask(ask, path, sent, expected):
    assert ask("POST", path, sent) == expected


@pytest.mark.parametrize(
    ("header", "tensor", "said"),
    [
        ("9999", b"", "Expected Inference-Header-Content-Length to be at most"),
        ("x", b"", "given x"),
        ("0" * 20 + "9" * 5000, b"", "given 000"),
        (None, b"\0" * 7, "Expected 8 bytes for input 'x' of shape [2], given 7"),
        (None, b"\0" * 9, "Expected 8 bytes of tensors after the JSON, given 9"),
    ],
)
def test_bytes_that_do_not_fit(ask, header, tensor, said):
    asked = body(parameters={"binary_data_size": min(len(tensor), 8)})
    text = json.dumps(asked).encode()
    headers = {HEADER: header or str(len(text))}
    assert ask("POST", "/v2/models/line/infer", text + tensor, headers=headers) == error(said)


def test_values_that_lie_deep_among_many_are_looked_at_once(ask):
    deep = f"{'[' * 900}1{']' * 900}"
    text = json.dumps(body()).replace('"data": [', f'"data": [{"1, " * 200_000}{deep}, ')
    start = time.process_time()
    assert ask("POST", "/v2/models/line/infer", text) == error("Expected 2 values of FP32 in 'data'")
    assert time.process_time() - start < 10  # not a minute, as when all are looked at for each bracket


def test_typed_contents_by_grpc(server):
    """In place of bytes, as other clients send them; the answer is of the same kind."""
    channel = triton_grpc.InferenceServerClient(f"127.0.0.1:{server.server.ports['gRPC']}")
    asked = service_pb2.ModelInferRequest(model_name="many", id="3")
    asked.parameters["signature_name"].string_param = "several"
    for name, kind, field, values in (
        ("x", "FP32", "fp32_contents", [1, 2]),
        ("n", "INT64", "int64_contents", [1, 2]),
        ("s", "BYTES", "bytes_contents", [b"a", b"b"]),
    ):
        made = asked.inputs.add(name=name, datatype=kind, shape=[2])
        getattr(made.contents, field).extend(values)
    asked.outputs.add(name="sum")
    asked.outputs.add(name="text")
    response = channel._client_stub.ModelInfer(asked)
    assert response.id == "3" and not response.raw_output_contents
    assert list(response.outputs[0].contents.fp32_contents) == [2, 4]
    assert list(response.outputs[1].contents.bytes_contents) == [b"a", b"b"]
    asked.inputs[0].contents.fp32_contents.append(3)
    with pytest.raises(Exception, match="Expected 2 values of FP32 in contents of input 'x', given 3"):
        channel._client_stub.ModelInfer(asked)
    asked.raw_input_contents.append(b"")
    with pytest.raises(Exception, match="raw_input_contents for every input"):
        channel._client_stub.ModelInfer(asked)
    channel.close()


def test_the_messages_are_those_of_the_protocol():
    """Field by field, the protocol's own extensions apart, as Triton's client has them."""

    def fields(message):
        found = {field.name: (field.number, field.type, field.is_repeated) for field in message.fields}
        return found, {name: fields(nested) for name, nested in message.nested_types_by_name.items()}

    ours = by_grpc.SERVICE.file.message_types_by_name
    theirs = service_pb2.DESCRIPTOR.message_types_by_name
    assert {name: fields(ours[name]) for name in ours} == {name: fields(theirs[name]) for name in ours}
    rpcs = [(rpc.name, rpc.input_type.full_name, rpc.output_type.full_name) for rpc in by_grpc.SERVICE.methods]
    known = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    assert set(rpcs) <= {(rpc.name, rpc.input_type.full_name, rpc.output_type.full_name) for rpc in known.methods}
