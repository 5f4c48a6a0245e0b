import made_up
import numpy as np
import pytest
import tensorflow as tf

from tfdfm.metrics.accuracy import Accuracy, accuracy, accuracy_by_resolution, joint, resized
from tfdfm.metrics.ms_ssim import Similarity


def stripes(labels, side=16):
    """Class 0: stripes of one pixel. Class 1: halves. Class 2: white."""
    rows = np.arange(side)
    patterns = np.stack([rows % 2, rows // (side // 2), np.ones(side, int)])[labels]
    return np.broadcast_to(255 * patterns[:, :, None, None], (len(labels), side, side, 1)).astype(np.uint8)


def classify(images):
    """By the sharpest edge, the contrast and the brightness."""
    assert images.dtype == np.float32 and images.min() >= 0 and images.max() <= 255
    rows = images.mean(axis=(2, 3))
    edges = (np.abs(np.diff(rows, axis=1)) > 100).sum(axis=1)
    return np.stack([1.0 * (edges > 2), 0.5 * (rows.std(axis=1) > 50), np.full(len(rows), 0.1)], axis=1)


def test_stripes_of_a_pixel_are_lost_when_the_image_is_shrunk():
    labels = np.array([0, 1, 2, 2] * 100)
    found = accuracy_by_resolution(stripes(labels), labels, (8, 16), classify)
    assert list(found) == [8, 16] and found[16].value == 1
    assert found[8].value == 0.75 and found[8].values.tolist() == [0, 1, 1] and found[8].labels.tolist() == [0, 1, 2]


def test_classes_that_are_missing_are_left_out_and_order_changes_nothing():
    labels = np.array([2, 0, 2, 0, 0])
    images = stripes(np.array([2, 0, 0, 0, 1]))
    found = accuracy_by_resolution(images, labels, [16], classify)[16]
    assert (
        found.value == 0.6 and found.labels.tolist() == [0, 2] and found.values.tolist() == pytest.approx([2 / 3, 0.5])
    )
    turned = accuracy_by_resolution(images[::-1], labels[::-1], [16], classify)[16]
    assert turned.value == found.value and turned.values.tolist() == found.values.tolist()


def bilinear(x, size):
    """[S] -> [size], with pixels as centres of cells."""
    places = (np.arange(size) + 0.5) * len(x) / size - 0.5
    return np.interp(places, np.arange(len(x)), x)


@pytest.mark.parametrize("size", [1, 5, 8, 16])
def test_resizing_is_bilinear_along_both_sides(size):
    image = made_up.images(1, 16, 1)
    expected = image[0, ..., 0].astype(float)
    for axis in (0, 1) if size < 16 else ():
        expected = np.apply_along_axis(lambda x: bilinear(bilinear(x, size), 16), axis, expected)
    np.testing.assert_allclose(resized(image, size)[0, ..., 0], expected, atol=1e-3)


@pytest.mark.parametrize("size", [0, 17])
def test_a_size_out_of_range_is_an_error(size):
    with pytest.raises(ValueError, match=f"from 1 to 16 pixels, the images'. Received {size}"):
        resized(made_up.images(2), size)


@pytest.mark.parametrize(
    ("labels", "classifier", "message"),
    [
        (np.array([0, 3]), classify, "knows every label. Received label 3 and 3 classes"),
        (np.array([0, 1]), lambda images: np.full((2, 3), np.nan), "finite logits"),
        (np.array([0]), classify, "for each of 2 samples"),
    ],
)
def test_what_cannot_be_scored_is_an_error(labels, classifier, message):
    with pytest.raises(ValueError, match=message):
        accuracy_by_resolution(stripes(np.array([0, 1])), labels, [16], classifier)


def told(values):
    """Accuracy with these shares of as many classes."""
    values = np.asarray(values, float)
    return Accuracy(values.mean(), 0.0, np.arange(len(values)), values, np.zeros(len(values)))


def alike(values):
    values = np.asarray(values, float)
    return Similarity(np.arange(len(values)), values, np.zeros(len(values)))


def test_standard_errors_are_a_binomials():
    logits, labels = np.eye(2)[[0, 0, 0, 1, 1, 1]], np.array([0, 0, 0, 0, 1, 1])
    found = accuracy(logits, labels)
    assert found.values.tolist() == [0.75, 1] and found.errors.tolist() == [np.sqrt(0.75 * 0.25 / 4), 0]
    assert found.error == np.sqrt(5 / 6 * (1 - 5 / 6) / 6)


def test_accuracy_and_diversity_of_classes_are_correlated():
    found = joint(told([0.1, 0.5, 0.7]), alike([0.4, 0.2, 0.25]), 0.3)
    assert found.correlation == pytest.approx(np.corrcoef([0.1, 0.5, 0.7], [0.4, 0.2, 0.25])[0, 1])
    assert joint(told([0.1, 0.5, 0.7]), alike([0.2] * 3), 0.3).correlation is None
    with pytest.raises(ValueError, match=r"same classes. Received \[0, 1, 2\] and \[0, 1\]"):
        joint(told([0.1, 0.5, 0.7]), alike([0.2, 0.3]), 0.3)


def test_shares_of_diverse_and_of_discriminable_classes():
    """Classes 0, 1, 2 are below 0.25, of which 1 and 2 are told in more than one of a hundred; 3 is, 4 is not."""
    shares, similar = told([0.01, 0.02, 0.5, 0.3, 0.0]), alike([0.1, 0.2, 0.24, 0.25, 0.6])
    found = joint(shares, similar, 0.25)
    assert found.diverse == 0.6 and found.discriminable_of_others == 0.5
    assert found.discriminable_of_diverse == pytest.approx(2 / 3)
    assert joint(shares, similar, 0.05)[1:] == (0.0, None, 0.6)


@pytest.mark.parametrize(("side", "size"), [(32, 8), (32, 20), (17, 5)])
def test_shrinking_and_growing_is_tensorflows(side, size):
    images = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    expected = tf.image.resize(tf.image.resize(images, [size, size]), [side, side])
    np.testing.assert_allclose(resized(images, size), expected, atol=1e-3)
