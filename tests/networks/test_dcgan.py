"""Radford et al.'s generator and discriminator at every size."""

import numpy as np
import pytest
import tensorflow as tf

from tfdfm import networks
from tfdfm.errors import UsageError
from tfdfm.networks import dcgan, iliescu
from tfdfm.networks.shapes import SIZES


def count(network):
    return sum(int(np.prod(w.shape)) for w in network.trainable_variables)


def generator(size, width=4, latents=8, classes=0, channels=3, **kwargs):
    network = dcgan.DCGANGenerator(size, channels, classes, width=width, seed=0, **kwargs)
    images = network(tf.ones([2, latents]), labels=tf.constant([0, 1]) if classes else None)
    return network, images


def discriminator(size, width=4, classes=0, channels=3, **kwargs):
    network = dcgan.DCGANDiscriminator(size, classes, width=width, seed=0, **kwargs)
    images = np.random.default_rng(0).uniform(-1, 1, (2, size, size, channels)).astype(np.float32)
    return network, network(images, labels=tf.constant([0, 1]) if classes else None)


def convolutions(network):
    """(maps in, maps out) of each, images to features; a transposed kernel is [h, w, out, in]."""
    last = [network.last] if hasattr(network, "last") else []
    return [layer.kernel.shape for layer in [*network.convs, *last]]


@pytest.mark.parametrize("size", SIZES)
def test_shapes_and_sizes(size):
    network, images = generator(size)
    assert images.shape == (2, size, size, 3) and images.dtype == tf.float32
    assert np.abs(images).max() <= 1
    network, output = discriminator(size)
    base = {48: 6, 96: 6}.get(size, 4)
    maps = {16: 8, 32: 16, 48: 16, 64: 32, 96: 32, 128: 32}[size]
    assert network.feature_shape == (base, base, maps) and network.num_features == base * base * maps
    assert output.score.shape == (2,) and output.features.shape == (2, network.num_features)
    assert output.class_logits is None and output.reconstruction is None


@pytest.mark.parametrize(
    ("size", "maps_in_generator", "maps_in_discriminator"),
    [
        (16, [(8, 8), (8, 4), (4, 4), (4, 3)], [(3, 4), (4, 4), (4, 8), (8, 8)]),
        (
            32,
            [(16, 16), (16, 8), (8, 8), (8, 4), (4, 4), (4, 3)],
            [(3, 4), (4, 4), (4, 8), (8, 8), (8, 16), (16, 16)],
        ),
        (64, [(32, 16), (16, 8), (8, 4), (4, 3)], [(3, 4), (4, 8), (8, 16), (16, 32)]),
        (96, [(32, 16), (16, 8), (8, 4), (4, 3)], [(3, 4), (4, 8), (8, 16), (16, 32)]),
        (128, [(32, 32), (32, 16), (16, 8), (8, 4), (4, 3)], [(3, 4), (4, 8), (8, 16), (16, 32), (32, 32)]),
    ],
)
def test_maps_of_each_layer_are_radfords(size, maps_in_generator, maps_in_discriminator):
    side = 3 if size < 64 else 5
    kernels = convolutions(generator(size)[0])
    assert [(k[3], k[2]) for k in kernels] == maps_in_generator
    assert {k[:2] for k in kernels} == {(side, side)}
    kernels = convolutions(discriminator(size)[0])
    assert [(k[2], k[3]) for k in kernels] == maps_in_discriminator
    assert {k[:2] for k in kernels} == {(side, side)}


@pytest.mark.parametrize(("width", "latents", "millions"), [(128, 256, 6.69), (64, 128, 1.68)])
def test_parameters_of_the_papers_generators(width, latents, millions):
    assert count(generator(32, width, latents)[0]) / 1e6 == pytest.approx(millions, abs=0.005)


def test_parameters_of_the_discriminator_by_hand():
    convs = 9 * (3 * 4 + 4 * 4 + 4 * 8 + 8 * 8 + 8 * 16 + 16 * 16)
    assert count(discriminator(32)[0]) == convs + 2 * (4 + 8 + 8 + 16 + 16) + 4 * 4 * 16


@pytest.mark.parametrize("make", [generator, discriminator])
def test_no_biases_but_those_of_batch_norm(make):
    network, _ = make(32)
    layers = [layer for layer in network._flatten_layers(include_self=False) if hasattr(layer, "kernel")]
    assert len(layers) == 7 and not any(layer.use_bias for layer in layers)


def test_phi_is_taken_after_the_relu_and_the_score_is_linear_in_it():
    network, output = discriminator(16)
    phi = output.features.numpy()
    assert phi.min() == 0 and 0.1 < (phi == 0).mean() < 0.9
    np.testing.assert_allclose(output.score, (phi @ network.head.kernel.numpy())[:, 0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [32, 64])
def test_labels_widen_every_layer_and_change_the_answer(size):
    for make in (generator, discriminator):
        plain, conditional = make(size)[0], make(size, classes=3)[0]
        kernels = [[w.shape for w in net.trainable_variables if w.name == "kernel"] for net in (plain, conditional)]
        grown = [[b - a for a, b in zip(*pair, strict=True)] for pair in zip(*kernels, strict=False)]
        assert all(sorted(growth)[-1] == 3 and sum(growth) == 3 for growth in grown)
    network = generator(size, classes=3)[0]
    a, b = (network(tf.ones([1, 8]), labels=tf.constant([label])).numpy() for label in (0, 2))
    assert not np.array_equal(a, b)


def test_mixed_bfloat16_keeps_outputs_and_weights_float32():
    network, images = generator(16, dtype="mixed_bfloat16")
    critic, output = discriminator(16, dtype="mixed_bfloat16")
    assert images.dtype == output.score.dtype == output.features.dtype == tf.float32
    assert {w.dtype for net in (network, critic) for w in net.variables} == {"float32"}
    np.testing.assert_allclose(images, generator(16)[1], atol=0.02)
    assert not np.array_equal(images, generator(16)[1])


@pytest.mark.parametrize("size", [8, 28, 33, 256])
def test_a_size_that_no_network_fits_is_an_error_that_lists_those_that_do(size):
    for make in (generator, discriminator):
        with pytest.raises(UsageError, match=f"16, 32, 48, 64, 96, 128.*given {size}.*--config.image_size"):
            make(size)


def test_an_unknown_network_is_an_error_with_the_nearest_name():
    assert networks.find("generator", "DCGAN") is dcgan.DCGANGenerator
    with pytest.raises(UsageError, match=r"Unknown generator 'DCGN'.*'DCGAN'.*--config.generator.network"):
        networks.find("generator", "DCGN")
    with pytest.raises(UsageError, match="Convolutional, FullyConnected"):
        networks.find("denoiser", "Network")


@pytest.mark.parametrize("make", [dcgan.DCGANDiscriminator, iliescu.IliescuDiscriminator])
def test_projected_labels_add_their_product_with_phi(make):
    """Miyato & Koyama, eq. 3: y^T V Phi beside the unconditional score, and no layer is wider."""
    pixels = np.random.default_rng(0).uniform(-1, 1, (3, 32, 32, 3)).astype(np.float32)
    plain, projected = (make(32, classes, width=4, projection=True, seed=0) for classes in (0, 5))
    labels = np.array([4, 0, 2])
    projected(pixels, labels=tf.constant(labels))
    projected.embed.kernel.assign(np.random.default_rng(1).normal(size=projected.embed.kernel.shape))
    base, found = plain(pixels), projected(pixels, labels=tf.constant(labels))
    np.testing.assert_array_equal(base.features, found.features)
    product = (projected.embed.kernel.numpy()[labels] * base.features.numpy()).sum(1)
    np.testing.assert_allclose(found.score, base.score + product, rtol=1e-4, atol=1e-7)
    assert np.abs(product).min() > 10 * np.abs(base.score).max()
