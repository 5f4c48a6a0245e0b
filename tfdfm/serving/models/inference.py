"""Classify and regress: requests of tf.train.Example for the signatures that TF1's estimators export."""

from collections.abc import Sequence

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from tfdfm.serving.models.saved_model import Signature
from tfdfm.serving.status import StatusError, invalid

METHODS = {"classify": "tensorflow/serving/classify", "regress": "tensorflow/serving/regress"}
_NAMES = {"classify": "classification", "regress": "regression"}


def method(name: str) -> str:
    """ "classify" or "regress" for a method's whole name. Raises StatusError (UNIMPLEMENTED)."""
    for short, whole in METHODS.items():
        if name == whole:
            return short
    raise StatusError(grpc.StatusCode.UNIMPLEMENTED, f"Unrecognized signature method_name: {name}")


def examples(given: input_pb2.Input) -> list[bytes]:
    """Serialised examples, each with the context. Raises StatusError (INVALID_ARGUMENT) when there are none."""
    if given.WhichOneof("kind") == "example_list_with_context":
        parts = given.example_list_with_context
        context = parts.context.SerializeToString()  # serialised messages merge when they are joined
        found = [context + example.SerializeToString() for example in parts.examples]
    else:
        found = [example.SerializeToString() for example in given.example_list.examples]
    if not found:
        raise invalid("Input is empty.")
    return found


def prepare(signature: Signature, method: str, given: Sequence[bytes | tf.train.Example]) -> list[np.ndarray]:
    """The feeds of a `classify` or `regress` request. Raises StatusError."""
    wanted, has = METHODS[method], signature.definition.method_name
    if has != wanted:
        raise invalid(f"Expected {_NAMES[method]} signature method_name to be {wanted}. Was: {has}")
    if len(signature.inputs) != 1:
        raise invalid(f"Expected one input in a {_NAMES[method]} signature, this one has {len(signature.inputs)}.")
    batch = np.empty(len(given), object)
    batch[:] = [one if isinstance(one, bytes) else one.SerializeToString() for one in given]
    return signature.check({next(iter(signature.inputs)): batch})


def classification(signature: Signature, outputs: list[np.ndarray]) -> classification_pb2.ClassificationResult:
    """`classes` [B, K] and `scores` [B, K] as a message. Raises StatusError."""
    named = dict(zip(signature.outputs, outputs, strict=True))
    classes, scores = named.get("classes"), named.get("scores")
    if any(values is not None and values.ndim != 2 for values in (classes, scores)) or not named.keys() & {
        "classes",
        "scores",
    }:
        raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, "Expected classes and scores of shape [batch, classes].")
    shape = (scores if classes is None else classes).shape
    result = classification_pb2.ClassificationResult()
    for row in range(shape[0]):
        made = result.classifications.add()
        for column in range(shape[1]):
            label = b"" if classes is None else classes[row, column]
            made.classes.add(label=label, score=0.0 if scores is None else scores[row, column])
    return result


def regression(signature: Signature, outputs: list[np.ndarray]) -> regression_pb2.RegressionResult:
    """`outputs` [B] or [B, 1] as a message. Raises StatusError."""
    values = dict(zip(signature.outputs, outputs, strict=True)).get("outputs")
    if values is None or values.ndim not in (1, 2) or values.size != len(values):
        raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, "Expected outputs of shape [batch] or [batch, 1].")
    result = regression_pb2.RegressionResult()
    for value in values.ravel():
        result.regressions.add(value=value)
    return result


RESULTS = {"classify": classification, "regress": regression}
