"""Warm-up requests, run before a version is available: the TFRecord of PredictionLog beside the model."""

from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import input_pb2, model_pb2, prediction_log_pb2

from tfdfm.serving.models import inference, tensors
from tfdfm.serving.models.saved_model import SavedModelBundle
from tfdfm.serving.status import invalid

FILE = Path("assets.extra", "tf_serving_warmup_requests")
MOST = 1000


def run(bundle: SavedModelBundle) -> None:
    """Raises StatusError when one of them fails."""
    for log in _logs(bundle.path / FILE) if bundle.options.warmups else ():
        for _ in range(bundle.options.warmups):
            _replay(bundle, log)


def _replay(bundle: SavedModelBundle, log: prediction_log_pb2.PredictionLog) -> None:
    kind = log.WhichOneof("log_type")
    request = getattr(log, kind).request if kind else None
    if kind == "predict_log":
        inputs = {name: tensors.array(proto) for name, proto in request.inputs.items()}
        signature = bundle.signature(request.model_spec.signature_name)
        signature.run(signature.check(inputs))
    elif kind in ("classify_log", "regress_log"):
        _infer(bundle, request.model_spec, kind.removesuffix("_log"), request.input)
    elif kind == "multi_inference_log":
        for task in request.tasks:
            _infer(bundle, task.model_spec, inference.method(task.method_name), request.input)
    else:
        raise invalid(f"Expected warm-up requests to predict, classify or regress, given {kind}.")


def _infer(bundle: SavedModelBundle, spec: model_pb2.ModelSpec, method: str, given: input_pb2.Input) -> None:
    signature = bundle.signature(spec.signature_name)
    inference.RESULTS[method](signature, signature.run(inference.prepare(signature, method, inference.examples(given))))


def _logs(path: Path) -> Iterator[prediction_log_pb2.PredictionLog]:
    if not path.is_file():
        return
    try:
        for count, record in enumerate(tf.compat.v1.io.tf_record_iterator(str(path)), 1):
            if count > MOST:
                raise invalid(f"Number of warmup records exceeds the maximum ({MOST}) in {path}.")
            yield prediction_log_pb2.PredictionLog.FromString(record)
    except (DecodeError, tf.errors.DataLossError) as error:
        raise invalid(f"Expected a TFRecord of PredictionLog in {path}: {error}") from None
