"""SNGAN's networks: parameters as mimicry's, spectral norm by the singular values, labels, every size."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.networks.layers import BatchStatistics
from tfdfm.networks.sngan import (
    ConditionalBatchNorm,
    SNDCGANDiscriminator,
    SNGANDiscriminator,
    SNGANGenerator,
    SpectralNetwork,
)
from tfdfm.networks.spectral_norm import SpectralConv, SpectralDense

HINGE = {
    "terms": ("hinge",),
    "generator": {"network": "SNGAN", "width": 4},
    "discriminator": {"network": "SNGAN", "width": 4},
}


def count(network) -> int:
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_variables)


def residual(narrow: int, wide: int, *, shortcut: bool, norms: int = 0) -> int:
    """Weights and biases of a block; `norms` are the maps that are normalised."""
    convs = 9 * narrow * wide + wide + 9 * wide * wide + wide
    return convs + (narrow * wide + wide if shortcut else 0) + 2 * norms


def test_as_many_weights_as_mimicry_has_at_32_pixels():
    generator, discriminator = SNGANGenerator(32, 3, seed=0), SNGANDiscriminator(32, seed=0)
    assert generator(tf.zeros([1, 128])).shape == (1, 32, 32, 3)
    assert discriminator(tf.zeros([1, 32, 32, 3])).features.shape == (1, 128)
    project = 128 * 16 * 256 + 16 * 256
    blocks = 3 * residual(256, 256, shortcut=True, norms=512)
    assert count(generator) == project + blocks + 2 * 256 + 9 * 256 * 3 + 3
    first = 9 * 3 * 128 + 128 + 9 * 128 * 128 + 128 + 3 * 128 + 128
    others = residual(128, 128, shortcut=True) + 2 * residual(128, 128, shortcut=False)
    assert count(discriminator) == first + others + 128 + 1


@pytest.mark.parametrize(
    ("size", "maps", "features"), [(48, [8, 4, 2, 1], 16), (64, [16, 8, 4, 2, 1], 16), (128, [16, 16, 8, 4, 2, 1], 16)]
)
def test_the_maps_of_larger_images(size, maps, features):
    generator, discriminator = SNGANGenerator(size, 3, width=2, seed=0), SNGANDiscriminator(size, width=2, seed=0)
    assert generator(tf.zeros([1, 8])).shape == (1, size, size, 3)
    assert generator.maps == [2 * n for n in maps]
    assert discriminator(tf.zeros([1, size, size, 3])).features.shape == (1, 2 * features)
    assert len(discriminator.blocks) == (6 if size == 128 else 5)


def test_maps_halve_at_32_pixels_where_it_is_asked():
    generator = SNGANGenerator(32, 3, width=2, halving=True, seed=0)
    assert generator(tf.zeros([1, 8])).shape == (1, 32, 32, 3)
    assert generator.maps == [16, 8, 4, 2] and SNGANGenerator(32, 3, width=2, seed=0).maps == [2] * 4


def test_the_plain_discriminator_is_table_3():
    discriminator = SNDCGANDiscriminator(32, seed=0)
    assert discriminator(tf.zeros([2, 32, 32, 3])).features.shape == (2, 4 * 4 * 512)
    kernels = [tuple(conv.kernel.shape) for conv in discriminator.convs]
    assert kernels == [(3, 3, 3, 64), (4, 4, 64, 128), (3, 3, 128, 128), (4, 4, 128, 256), (3, 3, 256, 256)] + [
        (4, 4, 256, 512),
        (3, 3, 512, 512),
    ]


@pytest.mark.parametrize("kind", [SpectralConv, SpectralDense])
def test_power_iterations_find_the_largest_singular_value(kind):
    shape = [1, 6, 6, 5] if kind is SpectralConv else [1, 20]
    layer = kind(7, 3, padding="same", seed=0) if kind is SpectralConv else kind(7, seed=0)
    x = tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)
    layer(x)
    for _ in range(200):
        statistics = BatchStatistics()
        layer(x, statistics=statistics)
        ((variable, value),) = statistics.kept
        variable.assign(value)
    matrix = layer.kernel.numpy().reshape(-1, 7)
    largest = np.linalg.svd(matrix, compute_uv=False)[0]
    np.testing.assert_allclose(layer.normalised(None).numpy().reshape(-1, 7), matrix / largest, rtol=1e-4, atol=1e-6)


def test_u_stays_without_statistics_and_sigma_has_equation_12s_gradient():
    layer = SpectralDense(3, seed=0, use_bias=False)
    x = tf.constant(np.random.default_rng(0).normal(size=[4, 6]), tf.float32)
    layer(x)
    before = layer.u.numpy()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) ** 2)
    found = tape.gradient(loss, layer.kernel.value).numpy()
    np.testing.assert_array_equal(before, layer.u.numpy())
    w = layer.kernel.numpy().astype(float)
    v = w @ before / np.linalg.norm(w @ before)
    u = w.T @ v / np.linalg.norm(w.T @ v)
    sigma = v @ w @ u
    g = 2 * x.numpy().T @ (x.numpy() @ w / sigma)  # of the loss by the normalised matrix
    np.testing.assert_allclose(found, (g - (g * w / sigma).sum() * np.outer(v, u)) / sigma, rtol=1e-4, atol=1e-5)


def test_labels_are_projected():
    """y^T V Phi: the difference of two labels' scores is that of two rows of V."""
    discriminator = SNGANDiscriminator(16, 3, width=4, seed=0)
    x = tf.random.stateless_normal([2, 16, 16, 1], [0, 0])
    first, second = (discriminator(x, labels=tf.fill([2], label)) for label in (0, 2))
    rows = discriminator.embed.normalised(None).numpy()
    expected = first.features.numpy() @ (rows[0] - rows[2])
    np.testing.assert_allclose(first.score - second.score, expected, rtol=1e-3, atol=1e-5)


def test_a_label_has_its_own_gain_and_bias():
    norm = ConditionalBatchNorm(SpectralNetwork(0), 4, 3)
    x = tf.random.stateless_normal([6, 5, 5, 4], [0, 0])
    labels = tf.constant([0, 1, 2, 0, 1, 2])
    norm(x, labels=labels)
    norm.biases.assign(np.arange(12.0).reshape(3, 4))
    plain = norm.norm(x, statistics=BatchStatistics()).numpy()
    found = norm(x, labels=labels, statistics=BatchStatistics()).numpy()
    expected = plain * norm.gains.numpy()[labels][:, None, None] + norm.biases.numpy()[labels][:, None, None]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.whole)])
def test_u_moves_once_a_step_and_is_saved(jit):
    trainer = toys.trainer(**HINGE, jit=jit)
    u = trainer.networks["discriminator"].blocks[0].convs[0].u
    before = u.numpy()
    kernel = trainer.networks["discriminator"].blocks[0].convs[0].kernel.numpy()
    logs = toys.stepper(trainer)(toys.batch())
    assert logs["first_bad_step"] == -1
    v = kernel.reshape(-1, 4) @ before
    expected = kernel.reshape(-1, 4).T @ (v / np.linalg.norm(v))
    np.testing.assert_allclose(u.numpy(), expected / np.linalg.norm(expected), rtol=1e-3, atol=1e-5)
    assert any(np.array_equal(value, u.numpy()) for value in toys.state(trainer).values())
