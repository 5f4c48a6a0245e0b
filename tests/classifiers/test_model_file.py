"""Anybody's network by its path: what it may take and give, and one line for every other."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdfm.classifiers import lookup
from tfdfm.errors import Failure

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # of Keras when it saves
IMAGES = np.random.default_rng(0).integers(0, 256, [5, 8, 8, 3], dtype=np.uint8)


def network(activation=None) -> keras.Sequential:
    layers = [
        keras.Input([8, 8, 3]),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3, 2, activation="relu", kernel_initializer=keras.initializers.HeNormal(seed=1)),
        keras.layers.Flatten(),
        keras.layers.Dense(6, activation=activation, kernel_initializer=keras.initializers.HeNormal(seed=2)),
    ]
    return keras.Sequential(layers)


class Gives(tf.Module):
    """What a function gives of images, as a SavedModel."""

    def __init__(self, function, *specs: tf.TensorSpec):
        self.weights = tf.Variable(np.random.default_rng(1).normal(size=[3, 4]).astype(np.float32))
        self._function, self.specs = function, specs

    @tf.function
    def __call__(self, images, *others):
        return self._function(tf.reduce_mean(tf.cast(images, tf.float32), [1, 2]), self.weights, *others)

    def save(self, path):
        tf.saved_model.save(self, str(path), self.__call__.get_concrete_function(*self.specs))
        return path


ANY = tf.TensorSpec([None, None, None, 3], tf.float32, "images")


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_keras_files_features_are_its_last_layers_input(tmp_path, suffix):
    model = network()
    model.save(tmp_path / f"mine.{suffix}")
    found = lookup.find(str(tmp_path / f"mine.{suffix}"))
    features, logits = found.run(IMAGES)
    np.testing.assert_allclose(logits, model(IMAGES.astype(np.float32)), atol=1e-5)
    np.testing.assert_allclose(features @ model.layers[-1].kernel.numpy(), logits, atol=1e-5)
    assert found.num_classes == 6 and features.shape == (5, 36)
    assert found.name == str(tmp_path / f"mine.{suffix}")
    assert {**found.record, "checksum": 0} == {
        "name": f"mine.{suffix}",
        "checksum": 0,
        "logits": "as given",
        "resize": "bilinear, antialiased, to 8 x 8",
    }


@pytest.mark.parametrize("separate", [False, True])
def test_of_probabilities_the_logarithms_are_taken(tmp_path, separate):
    model = network(None if separate else "softmax")
    if separate:
        model.add(keras.layers.Softmax())
    model.save(tmp_path / "mine.keras")
    found = lookup.find(str(tmp_path / "mine.keras"))
    features, logits = found.run(IMAGES)
    np.testing.assert_allclose(np.exp(logits), model(IMAGES.astype(np.float32)), atol=1e-6)
    assert found.record["logits"] == "logarithms of its probabilities" and features.shape == (5, 36)


def test_a_keras_model_may_give_both(tmp_path):
    model = network()
    keras.Model(model.inputs, {"features": model.layers[-1].input, "logits": model.outputs[0]}).save(
        tmp_path / "a.keras"
    )
    features, logits = lookup.find(str(tmp_path / "a.keras")).run(IMAGES)
    np.testing.assert_allclose(logits, model(IMAGES.astype(np.float32)), atol=1e-5)
    assert features.shape == (5, 36)


MEAN = IMAGES.reshape(5, -1, 3).mean(axis=1)
GIVEN = {
    "logits": (lambda x, w: x @ w, False),
    "a pair": (lambda x, w: (x, x @ w), True),
    "a dictionary": (lambda x, w: {"logits": x @ w, "features": x, "more": w}, True),
    "a dictionary of logits": (lambda x, w: {"logits": x @ w, "probabilities": tf.nn.softmax(x @ w)}, False),
}


@pytest.mark.parametrize(("function", "both"), GIVEN.values(), ids=GIVEN)
def test_what_a_saved_model_may_give(tmp_path, function, both):
    module = Gives(function, ANY)
    found = lookup.find(str(module.save(tmp_path / "mine")))
    features, logits = found.run(IMAGES)
    np.testing.assert_allclose(logits, MEAN @ module.weights.numpy(), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(features, MEAN if both else logits, rtol=1e-5)
    assert found.record["resize"] == "none" and found.num_classes == 4


def test_a_saved_models_size_type_and_channels_are_its_signatures(tmp_path):
    spec = tf.TensorSpec([None, 4, 6, 1], tf.uint8, "images")
    found = lookup.find(str(Gives(lambda x, w: (x, x @ w[:1]), spec).save(tmp_path / "mine")))
    assert found.record["resize"] == "bilinear, antialiased, to 4 x 6"
    features, _ = found.run(np.full([2, 8, 8, 3], [10, 20, 30], np.uint8))
    np.testing.assert_array_equal(features, np.full([2, 1], 18))  # 2.99 + 11.74 + 3.42, rounded


def test_the_checksum_is_of_all_files_and_no_path(tmp_path):
    module = Gives(lambda x, w: x @ w, ANY)
    one = lookup.find(str(module.save(tmp_path / "a" / "mine"))).record
    (tmp_path / "a").rename(tmp_path / "b")
    assert lookup.find(str(tmp_path / "b" / "mine")).record == one
    module.weights.assign_add(tf.ones([3, 4]))
    assert lookup.find(str(module.save(tmp_path / "c" / "mine"))).record["checksum"] != one["checksum"]


def test_every_other_file_is_one_line(tmp_path):
    for name, content in {"a.keras": b"no zip", "b.h5": b"", "c.txt": b"words"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    three = Gives(lambda x, w: (x, x, x @ w), ANY).save(tmp_path / "three")
    two = Gives(lambda x, w, y: x @ w + y, ANY, tf.TensorSpec([], tf.float32, "y")).save(tmp_path / "two")
    for path, message in {
        "a.keras": "does not work as a classifier",
        "b.h5": "does not work as a classifier",
        "c.txt": "does not work as a classifier",
        "empty": "does not work as a classifier",
        three.name: "'features' and 'logits', or logits alone. It gives output_0, output_1, output_2",
        two.name: "Expected a classifier with one input. .*two has 2",
    }.items():
        with pytest.raises(Failure, match=f"{message}.* Other classifiers here") as one:
            lookup.find(str(tmp_path / path))
        assert "\n" not in str(one.value)
