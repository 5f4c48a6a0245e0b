"""Classify and regress: requests of tf.train.Example for the signatures that TF1's estimators export."""

from collections.abc import Sequence

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from tfdfm.serving.models import tensors
from tfdfm.serving.models.saved_model import Signature
from tfdfm.serving.status import StatusError, invalid

METHODS = {"classify": "tensorflow/serving/classify", "regress": "tensorflow/serving/regress"}
_NAMES = {"classify": "classification", "regress": "regression"}


def method(name: str) -> str:
    """ "classify" or "regress" for a method's whole name. Raises StatusError (UNIMPLEMENTED)."""
    if name not in METHODS.values():
        raise StatusError(grpc.StatusCode.UNIMPLEMENTED, f"Unrecognized signature method_name: {name}")
    return name.rpartition("/")[2]


def examples(given: input_pb2.Input) -> list[bytes]:
    """Serialised examples, each with the context. Raises StatusError (INVALID_ARGUMENT) when there are none."""
    listed = getattr(given, given.WhichOneof("kind") or "example_list")
    if not listed.examples:
        raise invalid("Input is empty.")
    context = listed.context.SerializeToString() if given.HasField("example_list_with_context") else b""
    return joined(context, [example.SerializeToString() for example in listed.examples])


def joined(context: bytes, examples: list[bytes]) -> list[bytes]:
    """Each after the context: joined messages merge. Raises StatusError: a small request would become a large one."""
    if (size := len(context) * len(examples)) > tensors.LIMIT:
        raise invalid(f"Expected at most {tensors.LIMIT} bytes of examples with their context, given {size}.")
    return [context + example for example in examples]


def prepare(signature: Signature, method: str, given: Sequence[bytes | tf.train.Example]) -> list[np.ndarray]:
    """The feeds of a `classify` or `regress` request. Raises StatusError."""
    wanted, has = METHODS[method], signature.definition.method_name
    if signature.options.check_method_names and has != wanted:
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
    given = [values for values in (classes, scores) if values is not None]
    if not given or any(values.ndim != 2 or values.shape != given[0].shape for values in given):
        raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, "Expected classes and scores of shape [batch, classes].")
    classes = np.full(scores.shape, b"", object) if classes is None else classes
    scores = np.zeros(classes.shape) if scores is None else scores
    result = classification_pb2.ClassificationResult()
    for row in zip(classes, scores, strict=True):
        made = [{"label": label, "score": score} for label, score in zip(*row, strict=True)]
        result.classifications.add(classes=made)
    return result


def regression(signature: Signature, outputs: list[np.ndarray]) -> regression_pb2.RegressionResult:
    """`outputs` [B] or [B, 1] as a message. Raises StatusError."""
    values = dict(zip(signature.outputs, outputs, strict=True)).get("outputs")
    if values is None or values.ndim not in (1, 2) or values.size != len(values):
        raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, "Expected outputs of shape [batch] or [batch, 1].")
    return regression_pb2.RegressionResult(regressions=[{"value": value} for value in values.ravel()])


RESULTS = {"classify": classification, "regress": regression}
