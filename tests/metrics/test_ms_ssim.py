import made_up
import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import correlate1d

from tfdfm.metrics.ms_ssim import class_similarity, ms_ssim


def reference(x, y):
    """One pair of gray images [H, W] in plain steps."""
    x, y, result = x.astype(float), y.astype(float), 1
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale:
            x, y = halved(x), halved(y)
        mean_x, mean_y = blurred(x), blurred(y)
        covariance = blurred(x * y) - mean_x * mean_y
        variances = blurred(x * x) - mean_x**2 + blurred(y * y) - mean_y**2
        term = (2 * covariance + 58.5225) / (variances + 58.5225)
        if scale == 4:
            term = term * (2 * mean_x * mean_y + 6.5025) / (mean_x**2 + mean_y**2 + 6.5025)
        result *= max(term.mean(), 0) ** weight
    return result


def blurred(x):
    for axis in (0, 1):
        size = min(11, x.shape[axis])
        window = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * (1.5 * size / 11) ** 2))
        x = correlate1d(x, window / window.sum(), axis, mode="constant")
        inside = range(size // 2, x.shape[axis] - (size - 1) // 2)
        x = x.take(inside, axis)
    return x


def halved(x):
    for axis in (0, 1):
        if x.shape[axis] % 2:
            x = np.concatenate([x, x.take([-1], axis)], axis)
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


def pair(side, count=3, channels=3):
    left = made_up.images(count, side, channels)
    return left, (0.7 * left + 0.3 * made_up.images(count, side, channels, seed=1)).astype(np.uint8)


@pytest.mark.parametrize("side", [176, 181])
def test_from_176_pixels_on_it_is_tensorflows(side):
    left, right = pair(side)
    expected = tf.image.ssim_multiscale(left, right, max_val=255).numpy()
    np.testing.assert_allclose(ms_ssim(left, right), expected, rtol=1e-4)
    assert 0.3 < expected.min() and expected.max() < 0.97


def test_below_tensorflow_raises():
    left, right = pair(175)
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.image.ssim_multiscale(left[:, :160], right[:, :160], max_val=255)


@pytest.mark.parametrize("side", [1, 2, 3, 7, 15, 16, 28, 32, 33, 48, 64, 177])
def test_it_is_the_reference_at_every_size(side):
    left, right = pair(side, channels=1)
    expected = [reference(x[..., 0], y[..., 0]) for x, y in zip(left, right, strict=True)]
    np.testing.assert_allclose(ms_ssim(left, right), expected, rtol=1e-9)
    wide = np.concatenate([left, left, right], axis=2), np.concatenate([right, left, left], axis=2)
    assert ms_ssim(*wide)[0] == pytest.approx(reference(wide[0][0, ..., 0], wide[1][0, ..., 0]), rel=1e-9)


def test_channels_are_averaged_and_the_two_sides_are_alike():
    left, right = pair(32)
    each = [ms_ssim(left[..., c : c + 1], right[..., c : c + 1]) for c in range(3)]
    np.testing.assert_allclose(ms_ssim(left, right), np.mean(each, axis=0), rtol=1e-12)
    np.testing.assert_allclose(ms_ssim(right, left), ms_ssim(left, right), rtol=1e-12)


def test_limits():
    images = made_up.images(3, 32)
    np.testing.assert_allclose(ms_ssim(images, images), 1, rtol=1e-12)
    assert (ms_ssim(images, 255 - images) < 0.01).all()  # the opposite picture: no structure is shared
    black = np.zeros_like(images)
    np.testing.assert_allclose(ms_ssim(black, black), 1, rtol=1e-12)
    assert class_similarity(np.repeat(images[:1], 20, axis=0), np.zeros(20, int)).values == pytest.approx(1)


def test_a_collapsed_class_is_seen():
    images = made_up.images(60)
    images[20:40] = images[20] + made_up.images(20, seed=1) // 100
    classes, values, _ = class_similarity(images, np.repeat([2, 5, 9], 20))
    assert classes.tolist() == [2, 5, 9]
    assert values[1] > 0.9 > values[0] + 0.3 and abs(values[0] - values[2]) < 0.1


def test_all_pairs_of_a_class_are_its_mean_and_none_comes_twice():
    images, labels = made_up.images(15), np.zeros(15, int)
    first, second = np.triu_indices(15, 1)
    expected = ms_ssim(images[first], images[second])
    found = class_similarity(images, labels, pairs=105)
    assert found.values == pytest.approx(expected.mean(), rel=1e-12)
    assert found.errors == pytest.approx(expected.std() / np.sqrt(105), rel=1e-9)


def test_order_changes_nothing_and_the_seed_decides():
    images, labels = made_up.images(90), np.arange(90) % 3
    order = np.random.default_rng(7).permutation(90)
    values = class_similarity(images, labels, pairs=20).values
    np.testing.assert_array_equal(class_similarity(images[order], labels[order], pairs=20).values, values)
    np.testing.assert_array_equal(class_similarity(images[labels == 1], labels[labels == 1], 20).values, values[1:2])
    assert (class_similarity(images, labels, pairs=20, seed=1).values != values).all()


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (made_up.images(20), np.arange(20) // 14, "100 distinct pairs. Received 14 images of class 0. Make more"),
        (made_up.images(20) / 255, np.zeros(20, int), "as uint8 of shape .* Received float64"),
        (made_up.images(1), np.zeros(1, int), "Received 1 images of class 0"),
        (made_up.images(20), np.zeros(19, int), r"label >= 0 for each of 20 samples. Received int64 of shape \[19\]"),
        (made_up.images(20), np.full(20, -1), "label >= 0"),
        (made_up.images(20), np.zeros(20), "Received float64"),
        (made_up.images(20)[..., 0], np.zeros(20, int), r"Received uint8 of shape \[20, 16, 16\]"),
    ],
)
def test_what_cannot_be_scored_is_an_error(images, labels, message):
    with pytest.raises(ValueError, match=message):
        class_similarity(images, labels)


def test_images_of_two_sizes_are_an_error():
    with pytest.raises(ValueError, match=r"of one size. Received \[3, 16, 16, 3\] and \[3, 32, 32, 3\]"):
        ms_ssim(made_up.images(3), made_up.images(3, 32))
