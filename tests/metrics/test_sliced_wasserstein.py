"""Against tensorflow-gan's own function, with its hidden draws replaced by ours."""

import sys
from types import SimpleNamespace

import made_up
import numpy as np
import pytest
import tensorflow as tf
import tfgan

from tfdfm import arrays
from tfdfm.errors import Failure
from tfdfm.metrics import sliced_wasserstein as swd
from tfdfm.metrics.sliced_wasserstein import sliced_wasserstein


def ordered(images, seed=0):
    return images[arrays.shuffled(images, seed)]


@pytest.mark.parametrize("side", [16, 32, 48])
def test_it_is_tensorflow_gans_function_with_the_same_draws(monkeypatch, side):
    real, fake = made_up.images(20, side), made_up.images(20, side, seed=1)
    theirs, levels = tfgan.module("sliced_wasserstein"), {16: 1, 32: 2, 48: 2}[side]
    sides = [side >> level for level in range(levels)]
    generators = [np.random.default_rng([0, place]) for place in range(3)]
    first, again, other = ([swd._corners(g, 20, s) for s in sides] for g in generators)
    corners = [c for level in range(levels) for c in (*first[level], *again[level])] + [
        c for level in other for c in level
    ]
    draws = iter(corners)
    randint = lambda low, high, size: next(draws).reshape(size) + low  # noqa: E731
    random = SimpleNamespace(randint=randint)
    monkeypatch.setattr(theirs, "np", SimpleNamespace(**{**vars(np), "random": random}))
    drawn = [np.random.default_rng([0, s]).normal(size=(147, 147)).astype(np.float32) for s in sides for _ in range(2)]
    directions = iter(drawn)
    monkeypatch.setattr(tf.random, "normal", lambda shape: next(directions))
    expected = theirs.sliced_wasserstein_distance(tf.constant(ordered(real)), tf.constant(ordered(fake)))
    found = sliced_wasserstein(real, fake)
    assert [level.side for level in found] == sides and next(draws, None) is None
    for level, (floor, distance) in zip(found, expected, strict=True):
        assert level.distance == pytest.approx(float(distance), rel=1e-4)
        assert level.floor == pytest.approx(float(floor), rel=1e-4)


def test_order_changes_nothing_and_the_seed_decides():
    real, fake = made_up.images(12, 32), made_up.images(12, 32, seed=1)
    found = sliced_wasserstein(real, fake)
    assert sliced_wasserstein(real[::-1], fake[np.random.default_rng(7).permutation(12)]) == found
    assert all(a.distance != b.distance for a, b in zip(sliced_wasserstein(real, fake, seed=1), found, strict=True))


def test_other_patches_of_the_same_images_are_nearer_than_other_images():
    real = made_up.images(200, 16)
    noise = np.random.default_rng(0).integers(0, 256, real.shape).astype(np.uint8)
    (level,) = sliced_wasserstein(real, noise)
    assert level.floor < 0.02 < 0.08 < level.distance


def test_patches_of_one_colour_and_gray_images():
    black = np.zeros((5, 32, 32, 1), np.uint8)
    assert [level[1:] for level in sliced_wasserstein(black, black + 77)] == [(0, 0), (0, 0)]
    gray, other = made_up.images(5, 16, 1), made_up.images(5, 16, 1, seed=1)
    repeated = [np.repeat(images, 3, axis=3) for images in (gray, other)]
    gray[:, :8] = other[:, :8] = 0
    assert 0 < sliced_wasserstein(gray, other)[0].distance < np.inf
    assert sliced_wasserstein(*repeated)[0].distance > 0


def test_a_block_of_images_is_cut_at_its_own_places(monkeypatch):
    images = made_up.images(300, 16)
    patches = swd._patches(images, 1, [0, 0])[0].reshape(300, 64, 7, 7, 3)
    rows, columns = swd._corners(np.random.default_rng([0, 0]), 300, 16)
    y, x = rows[290, 5], columns[290, 5]
    patch = ordered(images)[290, y : y + 7, x : x + 7].astype(float)
    np.testing.assert_allclose(patches[290, 5], (patch - patch.mean()) / patch.std(), rtol=1e-4, atol=1e-5)


def test_patches_reach_every_border():
    corners = swd._corners(np.random.default_rng(0), 100, 16)
    assert corners.min() == 0 and corners.max() + 7 == 16
    (level,) = sliced_wasserstein(made_up.images(5, 7), made_up.images(5, 7, seed=1))
    assert level.side == 7 and level.floor == 0 < level.distance  # one patch an image


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (made_up.images(5), made_up.images(6), r"as many real as fake images .* Received \[5, 16, 16, 3\] and \[6,"),
        (made_up.images(5, 6), made_up.images(5, 6), "H >= 7"),
        (made_up.images(5, 16, 2), made_up.images(5, 16, 2), "1 or 3"),
        (made_up.images(5, 33), made_up.images(5, 33), "can be halved 1 times. Received 33"),
        (made_up.images(5) / 255, made_up.images(5), "real images as uint8"),
    ],
)
def test_wrong_images_are_errors(real, fake, message):
    with pytest.raises(ValueError, match=message):
        sliced_wasserstein(real, fake)


def test_without_tensorflow_gan_the_error_says_how_to_get_it(monkeypatch):
    for package in tfgan.PARENTS:
        monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setattr(tfgan.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Failure, match="tensorflow-gan, found none. Install it: pip install"):
        tfgan.module("sliced_wasserstein")
