"""The flags of tensorflow_model_server that say how models are loaded: what each changes, by gRPC and REST."""

import grpc
import numpy as np
import pytest
import servables
import tensorflow as tf
from asking import Asking
from running import WAIT, config, refused, request, serving
from servables import floats
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis import classification_pb2, prediction_log_pb2

from tfdfm.errors import Failure, UsageError
from tfdfm.serving.models import servables as loaded
from tfdfm.serving.models import tensors, warmup
from tfdfm.serving.models.saved_model import LoadOptions, SavedModelBundle
from tfdfm.serving.server import ANY

Code = grpc.StatusCode


def judge(path):
    """Classifies examples, as TF2 saves it: its method is called predict."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def classify(examples):
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]
        return {"scores": tf.concat([1 - x, x], 1)}

    module = tf.Module()
    module.classify = classify
    tf.saved_model.save(module, str(path), {"serving_default": classify})
    return path


@pytest.mark.parametrize("check", [False, True])
def test_classify_of_tf2_models(tmp_path, check):
    judge(tmp_path / "judge" / "1")
    asked = classification_pb2.ClassificationRequest(model_spec={"name": "judge"})
    asked.input.example_list.examples.add().features.feature["x"].float_list.value.append(0.25)
    made = LoadOptions(check_method_names=check)
    with serving(config(judge=tmp_path / "judge"), load=made, rest_port=ANY) as server:
        ask = Asking(server.server.ports["REST"])
        code, body = ask("POST", "/v1/models/judge:classify", {"examples": [{"x": 0.25}]})
        if check:
            said = refused(server.prediction.Classify, asked, Code.INVALID_ARGUMENT)
            assert "method_name to be tensorflow/serving/classify. Was: tensorflow/serving/predict" in said
            assert code == 400 and "method_name" in body["error"]
        else:
            (row,) = server.prediction.Classify(asked, WAIT).result.classifications
            assert [one.score for one in row.classes] == [0.75, 0.25]
            assert (code, body) == (200, {"results": [[["", 0.75], ["", 0.25]]]})


def test_the_tags_choose_the_graph(tmp_path):
    path = servables.line(tmp_path / "1")
    saved = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    saved.meta_graphs[0].meta_info_def.tags.append("gpu")
    (path / "saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(Failure, match="serve"):
        SavedModelBundle(path)
    SavedModelBundle(path, LoadOptions(tags=("serve", "gpu"))).close()


def test_the_session_is_configured(tmp_path):
    session = ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=2)
    model = SavedModelBundle(servables.line(tmp_path / "1"), LoadOptions(session=session))
    made = model._session._config
    assert (made.intra_op_parallelism_threads, made.inter_op_parallelism_threads) == (1, 2)
    assert made.allow_soft_placement and made.gpu_options.allow_growth
    model.close()


@pytest.mark.parametrize(
    ("load", "runs"), [(LoadOptions(), 1), (LoadOptions(warmups=0), 0), (LoadOptions(warmups=3), 3)]
)
def test_warm_ups_are_run_as_often(tmp_path, monkeypatch, load, runs):
    path = servables.line(tmp_path / "1")
    log = prediction_log_pb2.PredictionLog()
    tensors.fill(log.predict_log.request.inputs["x"], floats(1))
    (path / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(path / warmup.FILE)) as writer:
        writer.write(log.SerializeToString())
    ran, run = [], loaded.Signature.run
    monkeypatch.setattr(loaded.Signature, "run", lambda *given: ran.append(given) or run(*given))
    servable = loaded.Servable(1, path, options=load)
    servable.load()
    assert len(ran) == runs
    servable.bundle.close()


def test_answers_as_content(tmp_path):
    servables.many(tmp_path / "many" / "1")
    given = {"x": floats(1, 2), "n": np.array([1, 2]), "s": np.array([b"a", b"\xff"], object)}
    with serving(config(many=tmp_path / "many"), as_content=True) as server:
        outputs = server.prediction.Predict(request("many", "several", **given), WAIT).outputs
    assert all(proto.tensor_content for name, proto in outputs.items() if name != "text")
    assert {name: tf.make_ndarray(proto).tolist() for name, proto in outputs.items()} == {
        "sum": [2, 4],
        "echo": [1, 2],
        "text": [b"a", b"\xff"],
        "half": [1, 2],
    }


def test_a_version_brings_its_own_batching(tmp_path):
    for name in ("own", "common"):
        servables.line(tmp_path / name / "1")
    (tmp_path / "own" / "1" / loaded.OWN_BATCHING).write_text("max_batch_size { value: 2 }")
    models = config(own=tmp_path / "own", common=tmp_path / "common")
    with serving(models, load=LoadOptions(own_batching=True)) as server:
        assert server.predict("common", x=floats(1, 2, 3))["y"].tolist() == [3, 5, 7]
        said = refused(server.prediction.Predict, request("own", x=floats(1, 2, 3)), Code.INVALID_ARGUMENT)
        assert "2" in said and server.predict("own", x=floats(1, 2))["y"].tolist() == [3, 5]
    with serving(models) as server:
        assert server.predict("own", x=floats(1, 2, 3))["y"].tolist() == [3, 5, 7]
    (tmp_path / "own" / "1" / loaded.OWN_BATCHING).write_text("max_batch_size: 2")
    expected = f"Error parsing text-format tensorflow.serving.BatchingParameters in .*{loaded.OWN_BATCHING}, line 1"
    with pytest.raises((Failure, UsageError), match=expected), serving(models, load=LoadOptions(own_batching=True)):
        pass
