"""Classify, regress and multi-inference by gRPC."""

import grpc
import pytest
import servables
import tensorflow as tf
from running import WAIT, refused
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    regression_pb2,
)

Code = grpc.StatusCode


def examples(*values, context=None):
    made = [
        tf.train.Example(features={"feature": {"x": {"float_list": {"value": [value]}}} if value is not None else {}})
        for value in values
    ]
    if context is None:
        return input_pb2.Input(example_list={"examples": made})
    (shared,) = examples(context).example_list.examples
    return input_pb2.Input(example_list_with_context={"examples": made, "context": shared})


LARGE = examples(*[None] * 1000, context=0)  # small as a message: a hundred megabytes when each has the context
LARGE.example_list_with_context.context.features.feature["more"].bytes_list.value.append(bytes(10**5))


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
        ("Classify", classify(examples(1), signature_name="double"), Code.FAILED_PRECONDITION),
        ("Classify", classify(examples(1), name="line"), Code.INVALID_ARGUMENT),
        ("Classify", classify(examples(None)), Code.INVALID_ARGUMENT),
        ("Classify", classify(examples(1), name="nope"), Code.NOT_FOUND),
        ("Classify", classification_pb2.ClassificationRequest(input=examples(1)), Code.INVALID_ARGUMENT),
        ("Regress", regress(examples(1)), Code.FAILED_PRECONDITION),
        ("Regress", regress(examples(1), signature_name="nope"), Code.FAILED_PRECONDITION),
        ("MultiInference", inference_pb2.MultiInferenceRequest(input=examples(1)), Code.INVALID_ARGUMENT),
        (
            "MultiInference",
            inference_pb2.MultiInferenceRequest(
                input=examples(1),
                tasks=[
                    {"model_spec": {"name": "estimator", "signature_name": name}, "method_name": servables.CLASSIFY}
                    for name in ("serving_default", "")
                ],
            ),
            Code.INVALID_ARGUMENT,
        ),
        ("Classify", classify(LARGE), Code.INVALID_ARGUMENT),
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
