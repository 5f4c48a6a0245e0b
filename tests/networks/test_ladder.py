"""The ladder network: its shape, its decoder, and what noise does to it."""

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.networks.ladder import LadderDiscriminator, Lateral
from tfdfm.networks.layers import BatchStatistics
from tfdfm.random import Noise, Random


def images(batch=6, size=8):
    return np.random.default_rng(0).uniform(-1, 1, (batch, size, size, 1)).astype(np.float32)


def noise():
    return Noise(Random(0, tf.constant(3, tf.int64), tf.constant(0, tf.int64)), "data")


def combined(lateral, z, u):
    a = [weight.numpy().astype(float) for weight in lateral.mean + lateral.slope]

    def s(x):
        return 1 / (1 + np.exp(-x))

    mean = a[0] * s(a[1] * u + a[2]) + a[3] * u + a[4]
    slope = a[5] * s(a[6] * u + a[7]) + a[8] * u + a[9]
    return (z - mean) * slope + mean


def by_numpy(network, x, noise):
    """Class logits and the estimate of x, [B, 64] in [0, 1], with batch norm of this batch."""

    def normed(z):
        return (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5)

    z = [h := x + noise[0]]
    for dense, norm, added in zip(network.encoder, network.norms, noise[1:], strict=True):
        z.append(normed(h @ dense.kernel.numpy()) + norm.bias.numpy() + added)
        h = np.maximum(z[-1], 0)
    odds = np.exp(z[-1])
    estimate = combined(network.laterals[0], z[-1], normed(odds / odds.sum(1, keepdims=True)))
    for lateral, dense, units in zip(network.laterals[1:], network.decoder, z[-2::-1], strict=True):
        estimate = combined(lateral, units, normed(estimate @ dense.kernel.numpy()))
    return z[-1], estimate


@pytest.fixture
def ladder():
    network = LadderDiscriminator(8, 10, width=16, seed=0)
    network(images(), statistics=BatchStatistics())
    return network


def test_layers_are_the_papers():
    network = LadderDiscriminator(28, 10, seed=0)
    output = network(tf.zeros([2, 28, 28, 1]))
    sizes = [784, 1000, 500, 250, 250, 250, 10]
    assert [tuple(dense.kernel.shape) for dense in network.encoder] == list(zip(sizes, sizes[1:], strict=False))
    assert [tuple(dense.kernel.shape) for dense in network.decoder] == list(
        zip(sizes[::-1], sizes[-2::-1], strict=False)
    )
    assert [lateral.mean[0].shape[0] for lateral in network.laterals] == sizes[::-1]
    assert output.features.shape == (2, 250) and output.class_logits.shape == (2, 10)


def test_the_combinator_against_numpy_and_at_its_start():
    rng = np.random.default_rng(0)
    layer, z, u = Lateral(), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    start = layer(tf.constant(z, tf.float32), tf.constant(u, tf.float32))
    np.testing.assert_array_equal(start, np.zeros([4, 3]))  # a2 = a7 = 1, the others 0
    for weight in layer.trainable_variables:
        weight.assign(rng.normal(size=3))
    found = layer(tf.constant(z, tf.float32), tf.constant(u, tf.float32))
    np.testing.assert_allclose(found, combined(layer, z, u), rtol=1e-4, atol=1e-5)


class Recorder:
    """Gaussian noise that remembers what it added."""

    def __init__(self):
        self.rng, self.given, self.deviations = np.random.default_rng(1), [], []

    def gaussian(self, x, deviation):
        self.given.append(self.rng.normal(0, deviation, x.shape).astype(np.float32))
        self.deviations.append(deviation)
        return x + self.given[-1]


@pytest.mark.parametrize("noisy", [False, True])
def test_encoder_and_decoder_against_numpy(ladder, noisy):
    rng, recorder, x = np.random.default_rng(0), Recorder(), (images().reshape(6, 64) + 1) / 2
    for layer in (*ladder.laterals, *ladder.norms):
        for weight in layer.trainable_variables:
            weight.assign(rng.normal(size=weight.shape))
    found = ladder(images(), statistics=BatchStatistics(), noise=recorder if noisy else None)
    assert recorder.deviations == [0.3] * 7 * noisy  # the input and six layers
    logits, estimate = by_numpy(ladder, x, recorder.given if noisy else [0] * 7)
    np.testing.assert_allclose(found.class_logits, logits, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.reconstruction.numpy().reshape(6, 64), 2 * estimate - 1, rtol=1e-3, atol=1e-3)


def test_a_bottom_combinator_that_passes_its_units_on_reconstructs_at_zero_noise(ladder):
    """v = 1 and mu = 0: z^_0 = z_0, which is the image where there is no noise."""
    ladder.laterals[-1].slope[4].assign(tf.ones([64]))
    clean = ladder(images(), statistics=BatchStatistics())
    np.testing.assert_allclose(clean.score, np.zeros(6), atol=1e-9)
    np.testing.assert_allclose(clean.reconstruction, images(), atol=1e-6)
    noisy = ladder(images(), statistics=BatchStatistics(), noise=noise())
    assert noisy.score.numpy().mean() == pytest.approx(0.09 * 64, rel=0.4)  # the input's noise, variance 0.3^2


def test_the_energy_is_the_squared_error_on_pixels_in_unit_range(ladder):
    output = ladder(images(), statistics=BatchStatistics(), noise=noise())
    error = (output.reconstruction.numpy() - images()) / 2
    np.testing.assert_allclose(output.score, (error**2).sum((1, 2, 3)), rtol=1e-4)


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
