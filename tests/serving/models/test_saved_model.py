"""One version in memory: any SavedModel is loaded, checked, run and closed."""

import json

import grpc
import numpy as np
import pytest
import servables
import tensorflow as tf
from servables import floats

from tfdfm.errors import Failure
from tfdfm.serving.models.saved_model import SavedModelBundle
from tfdfm.serving.status import StatusError

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    for build in (servables.line, servables.modern, servables.many, servables.estimator, servables.generator):
        build(folder / build.__name__)
    servables.generator(folder / "unlabelled", classes=0)
    return folder


@pytest.fixture(scope="module")
def many(made):
    model = SavedModelBundle(made / "many")
    yield model
    model.close()


@pytest.fixture(scope="module")
def generator(made):
    model = SavedModelBundle(made / "generator")
    yield model
    model.close()


def call(model, name, **inputs):
    signature = model.signature(name)
    return dict(zip(signature.outputs, signature.run(signature.check(inputs)), strict=True))


def refused(*args, code=INVALID, **inputs):
    with pytest.raises(StatusError) as caught:
        call(*args, **inputs)
    assert caught.value.code == code
    return caught.value.message


@pytest.mark.parametrize("name", ["line", "modern"])
def test_models_of_tf1_and_tf2_are_run(made, name):
    model = SavedModelBundle(made / name)
    assert list(model.signatures) == ["serving_default"]
    np.testing.assert_allclose(call(model, "", x=floats(0, 3))["y"], [1, 7])
    model.close()


def test_every_kind_of_value_goes_through(many):
    given = {"x": floats(1, 2), "n": np.array([2**62, -1]), "s": np.array([b"\xff", b""], object)}
    out = call(many, "several", **given)
    assert out["echo"].tolist() == [2**62, -1] and out["text"].tolist() == [b"\xff", b""]
    assert out["half"].dtype == np.float16 and out["sum"][1] == 1


def test_scalars_are_arrays(many):
    given = np.array(2, np.float32)
    out = call(many, "scalar", x=given) | call(many, "name", x=given)
    assert out["y"].shape == out["name"].shape == () and out["y"] == 3 and out["name"] == b"\xff"


def test_an_unknown_signature(many):
    assert 'Serving signature key "nope" not found.' in refused(many, "nope", code=grpc.StatusCode.FAILED_PRECONDITION)
    assert '"serving_default" not found' in refused(many, "", code=grpc.StatusCode.FAILED_PRECONDITION)


def test_missing_and_extra_inputs_are_named(many):
    message = refused(many, "several", x=floats(1), q=floats(1))
    assert message == "input size does not match signature: 2!=3. Sent extra: {q}. Missing but required: {n,s}."


def test_wrong_types_are_refused_and_of_shapes_the_model_decides(many, tmp_path):
    assert "'x' to be float32 but int64" in refused(many, "root", x=np.array([1]))
    assert "'x' to be float32 but string" in refused(many, "root", x=np.array([b"1"], object))
    assert call(many, "scalar", x=floats(1))["y"] == [2] and call(many, "matrix", x=floats(1))["y"] == [2]
    assert many.signature("matrix").rows([floats(1, 2)]) == 0  # alone
    ours = SavedModelBundle(servables.generator(tmp_path / "1"))
    labels = np.array([[0]])
    expected = "Expects input 'labels' of shape [-1] (-1: any size), given [1, 1]."
    assert refused(ours, "", seed=np.array([1]), labels=labels) == expected
    ours.close()


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


def test_a_model_that_can_touch_files_is_named(tmp_path, caplog):
    SavedModelBundle(servables.line(tmp_path / "1")).close()
    SavedModelBundle(servables.generator(tmp_path / "2")).close()
    SavedModelBundle(servables.gated(tmp_path / "3")).close()
    module = tf.Module()
    module.read = tf.function(lambda path: {"y": tf.io.read_file(path[0])[None]}, [tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path / "4"), {"serving_default": module.read})
    SavedModelBundle(tmp_path / "4").close()
    said = [line.getMessage() for line in caplog.records if line.name == "root"]
    assert said == [
        f"{tmp_path / number} can touch files of this user: it has {name}."
        for number, name in (("3", "MatchingFiles"), ("4", "ReadFile"))
    ]


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
    model = SavedModelBundle(path)
    assert np.isfinite(call(model, "", seed=np.array([1]), labels=np.array([77]))["images"]).all()
    model.close()


@pytest.mark.parametrize("card", ["", "[]", "{", '{"format": "tfdfm", "num_classes": "many"}', "\udcff"])
def test_a_damaged_card_harms_nobody(made, tmp_path, card):
    servables.generator(tmp_path / "1", classes=0)
    (tmp_path / "1" / "assets" / "model_card.json").write_bytes(card.encode("utf-8", "surrogateescape"))
    model = SavedModelBundle(tmp_path / "1")
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
    with pytest.raises((Failure, StatusError)) as caught:
        SavedModelBundle(path)
    assert str(caught.value)
