"""One version in memory: any SavedModel is loaded, checked, run and closed."""

import json

import grpc
import numpy as np
import pytest
import servables
import tensorflow as tf
from servables import floats
from tensorflow_serving.apis import prediction_log_pb2

from tfdfm.errors import Failure
from tfdfm.serving import disk, tensors, warmup
from tfdfm.serving.models import Model
from tfdfm.serving.status import Refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
pytestmark = pytest.mark.xdist_group("serving_models")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    for build in (servables.line, servables.modern, servables.many, servables.estimator, servables.generator):
        build(folder / build.__name__)
    servables.generator(folder / "unlabelled", classes=0)
    return folder


@pytest.fixture(scope="module")
def many(made):
    model = Model(made / "many")
    yield model
    model.close()


@pytest.fixture(scope="module")
def generator(made):
    model = Model(made / "generator")
    yield model
    model.close()


def call(model, name, **inputs):
    signature = model.signature(name)
    return dict(zip(signature.outputs, signature.run(signature.check(inputs)), strict=True))


def refused(*args, code=INVALID, **inputs):
    with pytest.raises(Refused) as caught:
        call(*args, **inputs)
    assert caught.value.code == code
    return caught.value.message


@pytest.mark.parametrize("name", ["line", "modern"])
def test_models_of_tf1_and_tf2_are_run(made, name):
    model = Model(made / name)
    assert list(model.signatures) == ["serving_default"]
    np.testing.assert_allclose(call(model, "", x=floats(0, 3))["y"], [1, 7])
    model.close()


def test_every_kind_of_value_goes_through(many):
    given = {"x": floats(1, 2), "n": np.array([2**62, -1]), "s": np.array([b"\xff", b""], object)}
    out = call(many, "several", **given)
    assert out["echo"].tolist() == [2**62, -1] and out["text"].tolist() == [b"\xff", b""]
    assert out["half"].dtype == np.float16 and out["sum"][1] == 1


def test_an_unknown_signature(many):
    assert 'Serving signature key "nope" not found.' in refused(many, "nope", code=grpc.StatusCode.FAILED_PRECONDITION)
    assert '"serving_default" not found' in refused(many, "", code=grpc.StatusCode.FAILED_PRECONDITION)


def test_missing_and_extra_inputs_are_named(many):
    message = refused(many, "several", x=floats(1), q=floats(1))
    assert message == "input size does not match signature: 2!=3. Sent extra: {q}. Missing but required: {n,s}."


def test_wrong_types_and_shapes_are_refused(many):
    assert "'x' to be float32 but int64" in refused(many, "root", x=np.array([1]))
    assert "'x' to be float32 but string" in refused(many, "root", x=np.array([b"1"], object))
    assert "shape [-1] (-1: any size), given [1, 1]" in refused(many, "root", x=floats(1)[None])
    assert "shape [] (-1: any size), given [1]" in refused(many, "scalar", x=floats(1))


def test_errors_of_the_run_keep_their_code_and_lose_their_node(many):
    message = refused(many, "root", x=floats(-1))
    assert "below zero" in message and "[[" not in message


@pytest.mark.parametrize(
    ("name", "rows"), [("root", 3), ("total", 3), ("matrix", 3), ("several", 3), ("scalar", 0), ("rows", 3)]
)
def test_what_may_be_merged(many, name, rows):
    signature = many.signature(name)
    shapes = {key: [3 if size == -1 else size for size in shape] for key, (_, shape) in signature.inputs.items()}
    assert signature.rows([np.zeros(shape) for shape in shapes.values()]) == rows


def test_inputs_of_different_sizes_are_not_merged(many):
    assert many.signature("several").rows([np.zeros(2), np.zeros(3), np.zeros(2)]) == 0


@pytest.mark.parametrize("label", [-1, 3, 2**40])
@pytest.mark.parametrize("name", ["serving_default", "png"])
def test_labels_out_of_range_are_refused(generator, name, label):
    message = refused(generator, name, seed=np.array([1, 2, 3]), labels=np.array([0, label, -7]))
    assert message == f"Expected labels in [0, 3), given {label}."


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_latents_that_are_not_finite_are_refused(generator, value):
    latents = np.zeros([2, 2], np.float32)
    latents[1, 0] = value
    message = refused(generator, "from_latents", latents=latents, labels=np.array([0, 2]))
    assert message == f"Expected finite latents, given {value}."


def test_what_is_in_range_is_sampled(generator):
    images = call(generator, "", seed=np.array([1, 2]), labels=np.array([0, 2]))["images"]
    assert images.shape == (2, 2, 2, 1)
    np.testing.assert_allclose(images[:, 0, 0, 0], [0.1, 0.4], rtol=1e-6)


def test_a_model_of_others_may_have_any_labels(made, tmp_path):
    path = tmp_path / "1"
    servables.generator(path)
    (path / "assets" / "model_card.json").write_text(json.dumps({"format": "other", "num_classes": 3}))
    model = Model(path)
    assert np.isfinite(call(model, "", seed=np.array([1]), labels=np.array([77]))["images"]).all()
    model.close()


@pytest.mark.parametrize("card", ["", "[]", "{", '{"format": "tfdfm", "num_classes": "many"}', "\udcff"])
def test_a_damaged_card_harms_nobody(made, tmp_path, card):
    servables.generator(tmp_path / "1", classes=0)
    (tmp_path / "1" / "assets" / "model_card.json").write_bytes(card.encode("utf-8", "surrogateescape"))
    model = Model(tmp_path / "1")
    assert call(model, "", seed=np.array([1]))["images"].shape == (1, 2, 2, 1)
    model.close()


@pytest.mark.parametrize("damage", ["nothing", "empty", "garbage", "tags", "variables"])
def test_a_damaged_model_is_one_clear_error(made, tmp_path, damage):
    path = tmp_path / "1"
    if damage in ("nothing", "empty"):
        path.mkdir(exist_ok=True)
    else:
        servables.line(path)
    if damage == "garbage":
        (path / "saved_model.pb").write_bytes(b"\xff" * 99)
    if damage == "tags":
        (path / "saved_model.pb").write_bytes((path / "saved_model.pb").read_bytes().replace(b"serve", b"train"))
    if damage == "variables":
        for file in (path / "variables").iterdir():
            file.unlink()
    with pytest.raises((Failure, Refused)) as caught:
        Model(path)
    assert str(caught.value)


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
    model = Model(path)
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
def test_an_error_in_a_warm_up_request_fails_the_load(made, tmp_path, wrong, message):
    path = servables.publish(made / "many", tmp_path, 1)
    with pytest.raises(Refused, match=message):
        warm(path, *wrong)


def test_a_cut_warm_up_file_fails_the_load(made, tmp_path):
    path = servables.publish(made / "many", tmp_path, 1)
    warm(path, log("predict_log", x=floats(1), signature="root"))
    file = path / warmup.FILE
    file.write_bytes(file.read_bytes()[:-3])
    model = Model(path)
    with pytest.raises(Refused, match="TFRecord"):
        warmup.run(model)
    model.close()


def wanted(base, policy="", **more):
    from google.protobuf import text_format

    from tfdfm.serving import protos

    config = protos.ModelServerConfig()
    text = f'model_config_list {{ config {{ name: "m" base_path: "{base}" {policy} }} }}'
    return disk.wanted(text_format.Parse(text, config))[0]


def test_versions_are_directories_whose_names_are_numbers(tmp_path):
    for name in ("00000123", "7", "v8", "9.5", "-3", "1e3", "²", ".10", str(2**63), str(2**63 - 1)):
        (tmp_path / name).mkdir()
    (tmp_path / "99").write_text("no directory")
    every = disk.versions(wanted(tmp_path, "model_version_policy { all {} }"))
    assert list(every) == [7, 123, 2**63 - 1]
    assert every[123][0] == tmp_path / "00000123"


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        ("", [5]),
        ("model_version_policy { latest {} }", [5]),
        ("model_version_policy { latest { num_versions: 2 } }", [3, 5]),
        ("model_version_policy { all {} }", [1, 3, 5]),
        ("model_version_policy { specific { versions: 1 versions: 4 } }", [1]),
    ],
)
def test_policies_choose_versions(tmp_path, policy, numbers):
    for number in (1, 3, 5):
        (tmp_path / str(number)).mkdir()
    assert list(disk.versions(wanted(tmp_path, policy))) == numbers


@pytest.mark.parametrize("policy", ['model_platform: "caffe"', "model_version_policy { specific {} }"])
def test_a_configuration_that_cannot_work_is_refused(tmp_path, policy):
    with pytest.raises(Refused, match="model m"):
        wanted(tmp_path, policy)


def test_a_client_stays_below_what_the_operator_gave(tmp_path):
    base, outside = tmp_path / "models", tmp_path / "models_elsewhere"
    for folder in (base / "inner" / "1", outside / "1"):
        folder.mkdir(parents=True)
    (base / "way_out").symlink_to(outside)
    (base / "inner" / "2").symlink_to(outside / "1")
    for path in (outside, base / ".." / "models_elsewhere", base / "way_out", "/", tmp_path):
        with pytest.raises(Refused, match="base_path below"):
            disk.confined(wanted(path), [base])
    assert list(disk.versions(disk.confined(wanted(base / "inner"), [base]))) == [1]
    assert list(disk.versions(disk.confined(wanted(base / "inner"), [base / "inner"]))) == [2]  # the operator's own
