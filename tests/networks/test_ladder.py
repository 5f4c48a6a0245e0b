"""The ladder network: its shape, its decoder, and what noise does to it."""

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.networks.ladder import Ladder, Lateral
from tfdfm.networks.layers import BatchStatistics
from tfdfm.random import Noise, Random


def images(batch=6, size=8):
    return np.random.default_rng(0).uniform(-1, 1, (batch, size, size, 1)).astype(np.float32)


def noise():
    return Noise(Random(0, tf.constant(3, tf.int64), tf.constant(0, tf.int64)), "data")


@pytest.fixture
def ladder():
    network = Ladder(8, 10, width=16, seed=0)
    network(images(), statistics=BatchStatistics())
    return network


def test_layers_are_the_papers():
    network = Ladder(28, 10, seed=0)
    critique = network(tf.zeros([2, 28, 28, 1]))
    sizes = [784, 1000, 500, 250, 250, 250, 10]
    assert [tuple(dense.kernel.shape) for dense in network.encoder] == list(zip(sizes, sizes[1:], strict=False))
    assert [tuple(dense.kernel.shape) for dense in network.decoder] == list(
        zip(sizes[::-1], sizes[-2::-1], strict=False)
    )
    assert [lateral.mean[0].shape[0] for lateral in network.laterals] == sizes[::-1]
    assert critique.features.shape == (2, 250) and critique.class_logits.shape == (2, 10)


def test_the_combinator_against_numpy_and_at_its_start():
    rng = np.random.default_rng(0)
    layer, z, u = Lateral(), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    start = layer(tf.constant(z, tf.float32), tf.constant(u, tf.float32))
    np.testing.assert_array_equal(start, np.zeros([4, 3]))  # a2 = a7 = 1, the others 0
    for weight in layer.trainable_variables:
        weight.assign(rng.normal(size=3))
    a = [weight.numpy().astype(float) for weight in layer.mean + layer.slope]

    def s(x):
        return 1 / (1 + np.exp(-x))

    mean = a[0] * s(a[1] * u + a[2]) + a[3] * u + a[4]
    slope = a[5] * s(a[6] * u + a[7]) + a[8] * u + a[9]
    found = layer(tf.constant(z, tf.float32), tf.constant(u, tf.float32))
    np.testing.assert_allclose(found, (z - mean) * slope + mean, rtol=1e-4, atol=1e-5)


def test_a_bottom_combinator_that_passes_its_units_on_reconstructs_at_zero_noise(ladder):
    """v = 1 and mu = 0: z^_0 = z_0, which is the image where there is no noise."""
    ladder.laterals[-1].slope[4].assign(tf.ones([64]))
    clean = ladder(images(), statistics=BatchStatistics())
    np.testing.assert_allclose(clean.score, np.zeros(6), atol=1e-9)
    np.testing.assert_allclose(clean.reconstruction, images(), atol=1e-6)
    noisy = ladder(images(), statistics=BatchStatistics(), noise=noise())
    assert noisy.score.numpy().mean() == pytest.approx(0.09 * 64, rel=0.4)  # the input's noise, variance 0.3^2


def test_the_energy_is_the_squared_error_on_pixels_in_unit_range(ladder):
    critique = ladder(images(), statistics=BatchStatistics(), noise=noise())
    error = (critique.reconstruction.numpy() - images()) / 2
    np.testing.assert_allclose(critique.score, (error**2).sum((1, 2, 3)), rtol=1e-4)


def test_noise_changes_the_classes_and_the_population_learns_from_the_clean_path(ladder):
    clean, noisy = BatchStatistics(), BatchStatistics()
    a, b = ladder(images(), statistics=clean), ladder(images(), statistics=noisy, noise=noise())
    assert abs(a.class_logits - b.class_logits).numpy().max() > 0.01
    of_encoder = {id(v) for norm in ladder.norms for v in (norm.mean, norm.variance)}
    recorded = [
        {id(v): value.numpy() for v, value in which.recorded if id(v) in of_encoder} for which in (clean, noisy)
    ]
    assert recorded[0].keys() == recorded[1].keys() == of_encoder
    for key, value in recorded[0].items():
        np.testing.assert_array_equal(recorded[1][key], value)


def test_frozen_statistics_record_nothing_and_still_have_noise(ladder):
    a, b = ladder(images()), ladder(images(), noise=noise())
    assert abs(a.class_logits - b.class_logits).numpy().max() > 0.01
