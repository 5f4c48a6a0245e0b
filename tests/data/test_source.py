import numpy as np
import pytest

from tfdfm.data.source import default_size, fit


@pytest.mark.parametrize(
    ("side", "size"), [(8, 16), (16, 16), (28, 32), (32, 32), (47, 32), (96, 96), (178, 128), (500, 128)]
)
def test_default_size(side, size):
    assert default_size(side) == size


def test_28_is_padded_to_32_with_zeros():
    pixels = np.full((28, 28, 1), 200, np.uint8)
    padded = fit(pixels, 32, 1)
    np.testing.assert_array_equal(padded[2:-2, 2:-2], pixels)
    assert padded.sum() == pixels.astype(int).sum()


def test_the_right_size_is_left_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fit(pixels, 16, 3), pixels)


@pytest.mark.parametrize("shape", [(40, 100, 3), (100, 40, 3)])
def test_the_centre_square_is_kept(shape):
    pixels = np.zeros(shape, np.uint8)
    pixels[tuple(slice(30, 70) if side == 100 else slice(None) for side in shape[:2])] = 255
    square = fit(pixels, 20, 3)
    np.testing.assert_array_equal(square[1:-1, 1:-1], 255)
    assert square.min() > 200  # the border sees a little of what was cut off, as when rescaling comes first


def test_shrinking_is_antialiased_and_keeps_the_mean():
    stripes = np.tile(np.asarray([0, 255], np.uint8), (64, 32))[..., None]  # [64, 64, 1]
    small = fit(stripes, 16, 1).astype(float)
    assert np.ptp(small[2:-2, 2:-2]) < 16  # without antialiasing: all 0 or all 255
    assert abs(small.mean() - 127.5) < 3


def test_a_ramp_stays_a_ramp():
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))[..., None]
    expected = ramp[0, :, 0].reshape(32, 2).mean(axis=1)
    np.testing.assert_allclose(fit(ramp, 32, 1)[5, 2:-2, 0], expected[2:-2], atol=1)


def test_channels():
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    np.testing.assert_array_equal(fit(gray, 16, 3), np.repeat(gray, 3, axis=-1))
    rgba = np.dstack([gray] * 4)
    assert fit(rgba, 16, 3).shape == (16, 16, 3)
    assert fit(gray, 8, 1).shape == (8, 8, 1)
