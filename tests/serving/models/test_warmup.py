"""Warm-up requests are run before a version is available."""

import numpy as np
import pytest
import servables
import tensorflow as tf
from servables import floats
from tensorflow_serving.apis import prediction_log_pb2

from tfdfm.serving.models import tensors, warmup
from tfdfm.serving.models.saved_model import SavedModelBundle
from tfdfm.serving.status import StatusError


def log(kind, signature="", examples=(), **inputs):
    made = prediction_log_pb2.PredictionLog()
    asked = getattr(made, kind).request
    asked.model_spec.signature_name = signature
    for name, value in inputs.items():
        tensors.fill(asked.inputs[name], value)
    for x in examples:
        asked.input.example_list.examples.add().features.feature["x"].float_list.value.append(x)
    return made


def warm(path, *logs):
    (path / "assets.extra").mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path / warmup.FILE)) as writer:
        for one in logs:
            writer.write(one if isinstance(one, bytes) else one.SerializeToString())
    model = SavedModelBundle(path)
    try:
        warmup.run(model)
    finally:
        model.close()


def test_warm_up_requests_are_run(tmp_path):
    warm(
        servables.estimator(tmp_path / "1"),
        log("classify_log", examples=[0.5]),
        log("regress_log", "double", examples=[0.5]),
        log("predict_log", "plain", inputs=np.array([tf.train.Example().SerializeToString()], object)[:0]),
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([log("predict_log", x=floats(-1), signature="root")], "below zero"),
        ([log("predict_log", x=floats(1), signature="nope")], "nope"),
        ([log("session_run_log")], "session_run_log"),
        ([prediction_log_pb2.PredictionLog()], "None"),
        ([b"\xff\xff"], "PredictionLog"),
        ([log("predict_log", x=floats(1), signature="root")] * 1001, "maximum"),
    ],
)
def test_an_error_in_a_warm_up_request_fails_the_load(tmp_path, wrong, message):
    path = servables.many(tmp_path / "1")
    with pytest.raises(StatusError, match=message):
        warm(path, *wrong)


def test_a_cut_warm_up_file_fails_the_load(tmp_path):
    path = servables.many(tmp_path / "1")
    warm(path, log("predict_log", x=floats(1), signature="root"))
    file = path / warmup.FILE
    file.write_bytes(file.read_bytes()[:-3])
    model = SavedModelBundle(path)
    with pytest.raises(StatusError, match="TFRecord"):
        warmup.run(model)
    model.close()
