"""Discriminators that reconstruct: their energies, features and the paper's shapes."""

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks.began import BEGANDiscriminator, mean_absolute
from tfdfm.networks.ebgan import (
    ConvolutionalAutoencoderDiscriminator,
    FullyConnectedAutoencoderDiscriminator,
    root_of_squares,
)
from tfdfm.networks.layers import BatchStatistics

KINDS = [FullyConnectedAutoencoderDiscriminator, ConvolutionalAutoencoderDiscriminator, BEGANDiscriminator]


def images(size=16, channels=3, batch=4):
    return np.random.default_rng(0).uniform(-1, 1, (batch, size, size, channels)).astype(np.float32)


def made(kind, size=16, width=4, channels=3, **kwargs):
    network = kind(size, width=width, seed=0, **kwargs)
    return network, network(images(size, channels), statistics=BatchStatistics())


def shapes(layers):
    return [tuple(layer.kernel.shape) for layer in layers]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_energy_features_and_reconstruction(kind, channels):
    network, output = made(kind, channels=channels)
    assert output.score.shape == (4,) and output.class_logits is None
    assert output.reconstruction.shape == (4, 16, 16, channels)
    assert output.features.shape == (4, network.num_features)
    assert network.num_features == np.prod(network.feature_shape)
    error = output.reconstruction.numpy() - images(channels=channels)
    if kind is BEGANDiscriminator:
        expected = np.abs(error).mean((1, 2, 3))
    else:
        expected = np.sqrt((error**2).sum((1, 2, 3)))
        assert output.features.numpy().min() == 0  # after a ReLU
    np.testing.assert_allclose(output.score, expected, rtol=1e-5)


def test_energies_by_hand_and_finite_gradient_of_a_perfect_one():
    error = tf.reshape(tf.constant([[3.0, -4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]), [2, 2, 2, 1])
    np.testing.assert_allclose(root_of_squares(error), [5, 0], atol=1e-5)
    np.testing.assert_allclose(mean_absolute(error), [7 / 4, 0])
    with tf.GradientTape() as tape:
        tape.watch(error)
        energy = root_of_squares(error)
    gradient = tf.reshape(tape.gradient(energy, error), [2, 4])
    np.testing.assert_allclose(gradient, [[0.6, -0.8, 0, 0], [0, 0, 0, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("size", "encoder", "decoder", "phi"),
    [
        (64, [(3, 64), (64, 128), (128, 256)], [(256, 128), (128, 64), (64, 3)], (8, 8, 256)),
        (
            128,
            [(3, 64), (64, 128), (128, 256), (256, 512)],
            [(512, 256), (256, 128), (128, 64), (64, 3)],
            (8, 8, 512),
        ),
    ],
)
def test_convolutions_are_appendix_cs(size, encoder, decoder, phi):
    network = ConvolutionalAutoencoderDiscriminator(size, width=64, seed=0)
    network(tf.zeros([1, size, size, 3]))
    kernels = shapes(network.encoder)
    assert [k[2:] for k in kernels] == encoder and {k[:2] for k in kernels} == {(4, 4)}
    kernels = shapes([*network.decoder, network.last])  # a transposed kernel is [h, w, out, in]
    assert [(k[3], k[2]) for k in kernels] == decoder and {k[:2] for k in kernels} == {(4, 4)}
    assert network.feature_shape == phi
    assert len(network.encoder_norms) == len(encoder) - 1 and len(network.decoder_norms) == len(decoder) - 1


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_grids_autoencoder_has_its_layers_and_decodes_with_one(depth):
    network, _ = made(FullyConnectedAutoencoderDiscriminator, size=32, width=6, channels=1, depth=depth)
    assert shapes([network.first, *network.hidden, network.last]) == [(1024, 6)] + [(6, 6)] * (depth - 2) + [(6, 1024)]
    assert len(network.norms) == depth - 2 and network.first.use_bias and network.last.use_bias
    assert not any(layer.use_bias for layer in network.hidden)


def test_the_grids_weights_start_small():
    network, _ = made(FullyConnectedAutoencoderDiscriminator, size=32, width=64, channels=1)
    for layer in (network.first, network.last):
        assert layer.kernel.numpy().std() == pytest.approx(0.002, rel=0.02) and not layer.bias.numpy().any()


def test_the_grids_autoencoder_against_numpy():
    network, output = made(FullyConnectedAutoencoderDiscriminator, width=5)
    network.first.bias.assign(np.linspace(-0.1, 0.1, 5))
    network.last.bias.assign(np.arange(768) / 768)
    flat = images().reshape(4, 768)
    code = np.maximum(flat @ network.first.kernel.numpy() + network.first.bias.numpy(), 0)
    out = code @ network.last.kernel.numpy() + network.last.bias.numpy()
    output = network(images())
    np.testing.assert_allclose(output.features, code, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(output.score, np.linalg.norm(out - flat, axis=1), rtol=1e-5)


def test_began_at_32_pixels_is_the_public_one():
    network, _ = made(BEGANDiscriminator, size=32)
    maps = [(layer.kernel.shape[2], layer.kernel.shape[3], layer.strides[0]) for layer in network.convs]
    first, second, third = (
        [(4, 4, 1), (4, 4, 1), (4, 4, 2)],
        [(4, 8, 1), (8, 8, 1), (8, 8, 2)],
        [(8, 12, 1), (12, 12, 1)],
    )
    assert maps == [(3, 4, 1), *first, *second, *third]
    assert network.code.kernel.shape == (8 * 8 * 12, 64)
    assert network.decoder.project.kernel.shape == (64, 8 * 8 * 4) and len(network.decoder.convs) == 6
    output = network(images(32))
    assert output.features.numpy().min() < 0 and np.abs(output.reconstruction).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_bfloat16_keeps_what_it_says_and_the_weights_float32(kind):
    network, output = made(kind, dtype="mixed_bfloat16")
    assert output.score.dtype == output.features.dtype == output.reconstruction.dtype == tf.float32
    assert {w.dtype for w in network.variables} == {"float32"}
    np.testing.assert_allclose(output.score, made(kind)[1].score, rtol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_refused(kind):
    with pytest.raises(UsageError, match=f"{kind.__name__} takes no labels. Set --config.conditional=False"):
        kind(16, 10, seed=0)


def test_wrong_sizes_are_refused():
    with pytest.raises(UsageError, match="multiple of 16, given 72"):
        ConvolutionalAutoencoderDiscriminator(72, seed=0)
    with pytest.raises(UsageError, match="discriminator.depth of at least 2 .* given 1 and"):
        FullyConnectedAutoencoderDiscriminator(16, depth=1, seed=0)
