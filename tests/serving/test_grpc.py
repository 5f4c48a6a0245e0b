"""What clients of TF Serving's gRPC rely on: one server, real sockets."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import servables
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from running import WAIT, State, arrays, config, request, serving
from servables import floats
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    predict_pb2,
    regression_pb2,
)

pytestmark = pytest.mark.xdist_group("serving_grpc")
Code = grpc.StatusCode


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for build in (servables.line, servables.modern, servables.many, servables.estimator, servables.generator):
        build(folder / build.__name__ / "1")
    servables.gated(folder / "gated" / "1")
    names = ("line", "modern", "many", "estimator", "generator", "gated")
    with serving(config(**{name: folder / name for name in names}), poll_seconds=0) as running:
        yield running


def refused(call, asked, code):
    with pytest.raises(grpc.RpcError) as caught:
        call(asked, timeout=WAIT)
    assert caught.value.code() == code, caught.value.details()
    return caught.value.details()


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
    "shape": (request("line", x=floats(1)[None]), Code.INVALID_ARGUMENT, "shape"),
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


def test_scalars_and_two_inputs_of_different_sizes_are_served_alone(server):
    response = server.prediction.Predict(request("many", "scalar", x=np.float32(2)), WAIT)
    assert arrays(response)["y"] == 3


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
    assert set(found.signature_def) == {"scalar", "matrix", "root", "total", "several", "rows"}
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


def examples(*values, context=None):
    made = [
        tf.train.Example(features={"feature": {"x": {"float_list": {"value": [value]}}} if value is not None else {}})
        for value in values
    ]
    if context is None:
        return input_pb2.Input(example_list={"examples": made})
    (shared,) = examples(context).example_list.examples
    return input_pb2.Input(example_list_with_context={"examples": made, "context": shared})


def classify(given, name="estimator", **spec):
    return classification_pb2.ClassificationRequest(model_spec={"name": name} | spec, input=given)


def regress(given, name="estimator", **spec):
    return regression_pb2.RegressionRequest(model_spec={"name": name} | spec, input=given)


def scores(result):
    return [[(one.label, round(one.score, 3)) for one in row.classes] for row in result.classifications]


def test_classify(server):
    response = server.prediction.Classify(classify(examples(0.25, 1)), WAIT)
    assert response.model_spec.version.value == 1 and response.model_spec.signature_name == "serving_default"
    assert scores(response.result) == [[("no", 0.75), ("yes", 0.25)], [("no", 0), ("yes", 1)]]


def test_regress(server):
    response = server.prediction.Regress(regress(examples(0.25, 1), signature_name="double"), WAIT)
    assert [one.value for one in response.result.regressions] == [0.5, 2]


def test_a_context_belongs_to_every_example_that_does_not_say_otherwise(server):
    response = server.prediction.Regress(regress(examples(None, 3, context=1), signature_name="double"), WAIT)
    assert [one.value for one in response.result.regressions] == [2, 6]


def test_several_inferences(server):
    asked = inference_pb2.MultiInferenceRequest(input=examples(0.5))
    asked.tasks.add(model_spec={"name": "estimator"}, method_name=servables.CLASSIFY)
    asked.tasks.add(model_spec={"name": "estimator", "signature_name": "double"}, method_name=servables.REGRESS)
    first, second = server.prediction.MultiInference(asked, WAIT).results
    assert scores(first.classification_result) == [[("no", 0.5), ("yes", 0.5)]]
    assert second.regression_result.regressions[0].value == 1
    assert second.model_spec.signature_name == "double"


@pytest.mark.parametrize(
    ("method", "asked", "code"),
    [
        ("Classify", classify(examples()), Code.INVALID_ARGUMENT),
        ("Classify", classify(examples(1), signature_name="double"), Code.INVALID_ARGUMENT),
        ("Classify", classify(examples(1), name="line"), Code.INVALID_ARGUMENT),
        ("Classify", classify(examples(None)), Code.INVALID_ARGUMENT),
        ("Classify", classify(examples(1), name="nope"), Code.NOT_FOUND),
        ("Classify", classification_pb2.ClassificationRequest(input=examples(1)), Code.INVALID_ARGUMENT),
        ("Regress", regress(examples(1)), Code.INVALID_ARGUMENT),
        ("Regress", regress(examples(1), signature_name="nope"), Code.FAILED_PRECONDITION),
        ("MultiInference", inference_pb2.MultiInferenceRequest(input=examples(1)), Code.INVALID_ARGUMENT),
        (
            "MultiInference",
            inference_pb2.MultiInferenceRequest(
                input=examples(1), tasks=[{"model_spec": {"name": name}} for name in ("line", "estimator")]
            ),
            Code.INVALID_ARGUMENT,
        ),
        (
            "MultiInference",
            inference_pb2.MultiInferenceRequest(
                input=examples(1), tasks=[{"model_spec": {"name": "estimator"}, "method_name": servables.PREDICT}]
            ),
            Code.UNIMPLEMENTED,
        ),
    ],
)
def test_what_cannot_be_inferred(server, method, asked, code):
    assert refused(getattr(server.prediction, method), asked, code)


def test_health(server):
    stub = health_pb2_grpc.HealthStub(server.channel)
    for name in ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"):
        assert stub.Check(health_pb2.HealthCheckRequest(service=name), WAIT).status == 1
    refused(stub.Check, health_pb2.HealthCheckRequest(service="nope"), Code.NOT_FOUND)


def hold(server, gate, *others):
    """A gated request under way, and others that came after it."""
    version = server.server.lifecycle.models["gated"].versions[1]
    first = server.future("gated", x=floats(0), gate=np.array([gate], object))
    server.look(lambda: version._users == 2)  # the request and its run
    futures = []
    for values in others:
        futures.append(server.future("gated", x=floats(*values), gate=np.array([gate] * len(values), object)))
        server.look(lambda: version._users == 2 + len(futures))
    return first, futures


def test_requests_are_merged_and_counted(server, tmp_path):
    first, others = hold(server, str(tmp_path / "gate").encode(), [1], [2, 3], [4])
    (tmp_path / "gate").touch()
    assert [arrays(future.result())["y"].tolist() for future in (first, *others)] == [[0], [1], [2, 3], [4]]
    text = server.server.metrics.text().decode()
    assert ':tensorflow:serving:batching_session:processed_batch_size_bucket{le="1.0",model_name="gated"} 1.0' in text
    assert ':tensorflow:serving:batching_session:processed_batch_size_bucket{le="4.0",model_name="gated"} 2.0' in text
    assert ':tensorflow:serving:batching_session:queuing_latency_count{model_name="gated"} 4.0' in text


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
    monkeypatch.setattr(server.server.core, "predict", lambda *_, **__: 1 / 0)
    message = refused(server.prediction.Predict, request("line", x=floats(1)), Code.INTERNAL)
    assert message == "ZeroDivisionError in the server; see its log."
    assert "1 / 0" in caplog.text


def test_a_full_queue(server, tmp_path, monkeypatch):
    from tfdfm.serving.batching import Settings

    monkeypatch.setattr(server.server.core, "_limits", Settings(max_waiting=2))
    server.server.lifecycle.models["gated"].versions[1]._queues.clear()
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
        version = server.server.lifecycle.models["m"].versions[1]
        server.look(lambda: version._users == 2)
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
        import asyncio

        stopping = asyncio.run_coroutine_threadsafe(server.server.stop(), server.loop)
        server.look(lambda: server.server.lifecycle.closing)
        message = refused(server.prediction.Predict, request(x=floats(1), gate=gate), Code.UNAVAILABLE)
        assert "shutting down" in message and not waiting.done()
        assert health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest(), WAIT).status == 2
        (tmp_path / "gate").touch()
        assert arrays(waiting.result())["y"] == 7
        stopping.result(WAIT)
        watcher.join(WAIT)
        assert seen == [1, 2]
