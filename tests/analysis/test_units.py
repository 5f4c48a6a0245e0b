from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.analysis.views import units
from tfdfm.errors import UsageError
from tfdfm.images import from_uint8
from tfdfm.sampling import restore


class Edges:
    """D of one 3 x 3 convolution: unit 0 answers to a dark pixel right of a bright one, unit 1 to the middle one."""

    classifies, num_classes = False, 0
    kernel = np.zeros([3, 3, 1, 2], np.float32)
    kernel[1, 1, 0, 0], kernel[1, 2, 0, 0], kernel[1, 1, 0, 1] = 1, -1, 1

    def normalised(self, images, labels=None):
        return [tf.nn.conv2d(images, self.kernel, 1, "SAME")]

    def activations(self, images):
        return [tf.nn.relu(self.normalised(images)[0])]


class Looker:
    """A run of that D; image i has a bright pixel at row i, column 4, the brighter the later."""

    title, classes = "looker", ()
    discriminator = untrained_discriminator = Edges()

    def __init__(self):
        pixels = np.zeros([10, 12, 12, 1], np.uint8)
        pixels[np.arange(10), np.arange(10), 4] = 100 + 10 * np.arange(10)[:, None]
        self.held_out_or_training = SimpleNamespace(pixels=pixels, labels=np.arange(10) // 9)


def test_the_images_the_patches_and_the_pixels_that_move_a_unit_most():
    found = units.draw(Looker(), units="0,1", shown=3).numbers
    assert found["trained"] == found["random_weights"]  # here they are the same
    edge, pixel = found["trained"]
    assert edge["images"] == [9, 8, 7] and edge["patches"] == [[9, 10, 4, 6], [8, 9, 4, 6], [7, 8, 4, 6]]
    assert pixel["patches"][0] == [9, 10, 4, 5] and edge["responses"][0] == pytest.approx(190 / 127.5, rel=1e-5)
    assert edge["class"] == 0 and edge["purity"] == 0.9


def test_guided_is_the_gradient_where_all_above_is_positive():
    images = Looker().held_out_or_training.pixels[[9]]
    plain, guided = units.backpropagated(Edges(), images, None, 0, 0, np.array([[9, 4]]))
    expected = np.zeros([1, 12, 12, 1])
    expected[0, 9, [4, 5]] = [[1], [-1]]
    np.testing.assert_array_equal(plain, expected)
    np.testing.assert_array_equal(guided, expected)


def test_guided_backpropagation_by_hand(made):
    """Through the layers one by one, of a network as it is trained."""
    network = restore.discriminator(made("plain"))
    images = np.random.default_rng(0).integers(0, 256, [2, 16, 16, 1], dtype=np.uint8)
    places = np.array([[0, 1], [2, 3]])
    _, guided = units.backpropagated(network, images, None, 3, 1, places)
    x, tapes = from_uint8(images), []
    for place, conv in enumerate(network.convs[:3]):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = conv(x) if place == 0 else network.norms[place - 1](conv(x))
        tapes.append((tape, y, x))
        x = tf.nn.leaky_relu(y, 0.2)
    flowing = np.zeros(x.shape, np.float32)
    flowing[[0, 1], places[:, 0], places[:, 1], 1] = 1
    for tape, y, x in reversed(tapes):
        flowing = tape.gradient(y, x, np.maximum(flowing, 0) * (y.numpy() > 0)).numpy()
    np.testing.assert_allclose(guided, flowing, atol=1e-6)


def test_a_field_grows_with_the_layer(made, view):
    run = f"--run_dir={made('plain')}"
    sizes = []
    for layer in (1, 2, 3):
        _, about = view(run, "--view=units", f"--view.layer={layer}", "--view.num=2", "--view.images=50")
        fields = [patch for unit in about["found"]["plain"]["trained"] for patch in unit["patches"]]
        sizes.append(max(bottom - top for top, bottom, *_ in fields))
    assert sizes == [3, 5, 9]  # 3x3; 3x3 of stride 2; 3x3 of these


def test_a_conditional_discriminator_is_given_the_labels(made, view):
    picture, about = view(f"--run_dir={made('conditional', conditional=True)}", "--view=units", "--view.images=50")
    assert len(about["found"]["conditional"]["trained"]) == 8 and picture.shape[2] == 3


def test_units_that_are_not_there_are_refused(made, view):
    with pytest.raises(UsageError, match="numbers below 8, like 3,8, given 8"):
        view(f"--run_dir={made('plain')}", "--view=units", "--view.units=8", "--view.images=20")
