"""The networks of EBGAN against NumPy and appendix C."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm import recipes
from tfdfm.errors import UsageError
from tfdfm.networks.began import BEGANDiscriminator, BEGANGenerator, mean_absolute
from tfdfm.networks.ebgan import (
    ConvolutionalAutoencoderDiscriminator,
    FullyConnectedAutoencoderDiscriminator,
    FullyConnectedDiscriminator,
    FullyConnectedGenerator,
    NoisePlanesGenerator,
    noise_shapes,
    root_of_squares,
)
from tfdfm.networks.layers import BatchNorm, BatchStatistics
from tfdfm.random import Noise, Random
from tfdfm.training import build

KINDS = [FullyConnectedAutoencoderDiscriminator, ConvolutionalAutoencoderDiscriminator, BEGANDiscriminator]


def images(size=16, channels=3, batch=4):
    return np.random.default_rng(0).uniform(-1, 1, (batch, size, size, channels)).astype(np.float32)


def made(kind, size=16, width=4, channels=3, **kwargs):
    network = kind(size, width=width, seed=0, **kwargs)
    return network, network(images(size, channels), statistics=BatchStatistics())


def shapes(layers):
    return [tuple(layer.kernel.shape) for layer in layers]


IMAGES = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 1)).astype(np.float32)


def built(kind=FullyConnectedDiscriminator, **keys):
    network = kind(16, **({"depth": 3, "width": 6} | keys), seed=0)
    return network, network(IMAGES)


def noise(step=0):
    return Noise(Random(0, tf.constant(step, tf.int64), tf.constant(0, tf.int64)), "data")


PLANES = {128: [100, 64, 32, 16, 8, 4], 256: [100, 64, 32, 16, 8, 4, 2]}  # appendix C


MAPS = {128: [1024, 512, 256, 128, 64, 64, 3], 256: [2048, 1024, 512, 256, 128, 64, 64, 3]}


def latents(width, batch=2):
    return np.random.default_rng(0).uniform(-1, 1, (batch, width)).astype(np.float32)


def total(size):
    return sum(side**2 * planes for side, planes in noise_shapes(size))


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


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_layers_are_as_many_as_asked_and_normalised_between(depth):
    network, output = built(depth=depth)
    shapes = [tuple(layer.kernel.shape) for layer in [network.first, *network.hidden, network.last]]
    assert shapes == [(256, 6), *[(6, 6)] * (depth - 2), (6, 1)]
    assert len(network.norms) == depth - 2 and not any(layer.use_bias for layer in network.hidden)
    assert output.score.shape == (4,) and output.features.shape == (4, network.num_features)
    assert built(width=512)[0].first.kernel.numpy().std() == pytest.approx(0.002, rel=0.02)


def test_it_is_what_numpy_says():
    network, _ = built()
    for weight in network.trainable_variables:
        weight.assign(np.random.default_rng(weight.shape[0]).normal(0, 0.3, weight.shape))
    first, hidden, norm, last = network.first, network.hidden[0], network.norms[0], network.last
    x = np.maximum(IMAGES.reshape(4, -1) @ first.kernel.numpy() + first.bias.numpy(), 0) @ hidden.kernel.numpy()
    x = (x - x.mean(0)) / np.sqrt(x.var(0) + BatchNorm.epsilon) * norm.gain.numpy() + norm.bias.numpy()
    features = np.maximum(x, 0)
    output = network(IMAGES, statistics=BatchStatistics())
    np.testing.assert_allclose(output.features, features, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(output.score, (features @ last.kernel.numpy() + last.bias.numpy())[:, 0], rtol=1e-4)


@pytest.mark.parametrize("kind", [FullyConnectedDiscriminator, FullyConnectedAutoencoderDiscriminator])
def test_dropout_is_of_training_alone_and_of_each_hidden_layer(kind):
    plain, dropping = built(kind)[0], built(kind, dropout=0.5)[0]
    np.testing.assert_array_equal(plain(IMAGES).score, dropping(IMAGES).score)
    np.testing.assert_array_equal(plain(IMAGES, noise=noise()).score, plain(IMAGES).score)
    x, drop = tf.nn.relu(dropping.first(IMAGES.reshape(4, -1))), noise()
    features = tf.nn.relu(dropping.norms[0](dropping.hidden[0](drop.dropout(x, 0.5))))
    output = dropping(IMAGES, noise=noise())
    np.testing.assert_allclose(output.features, features, rtol=1e-5)
    if kind is FullyConnectedDiscriminator:
        np.testing.assert_allclose(output.score, dropping.last(drop.dropout(features, 0.5))[:, 0], rtol=1e-5)
    assert np.abs(output.features - dropping(IMAGES, noise=noise(1)).features).max() > 0


def test_depths_and_shares_that_cannot_be_are_refused():
    for wrong in ({"depth": 1}, {"dropout": 1.0}, {"dropout": -0.1}):
        with pytest.raises(UsageError, match=r"depth of at least 2 and discriminator.dropout in \[0, 1\)"):
            built(**wrong)
    with pytest.raises(UsageError, match="FullyConnectedDiscriminator takes no labels"):
        FullyConnectedDiscriminator(16, 10, seed=0)


@pytest.mark.parametrize("size", PLANES)
def test_noise_planes_are_the_papers(size):
    assert [planes for _, planes in noise_shapes(size)] == PLANES[size]
    assert [side for side, _ in noise_shapes(size)] == [1] + [4 * 2**i for i in range(len(PLANES[size]) - 1)]
    assert total(size) == recipes.recipe(f"imagenet{size}_ebgan_pt").latent_size


def test_layers_of_the_128_pixel_generator_are_the_papers_in_sixteenths():
    network = NoisePlanesGenerator(128, 3, width=4, seed=0)
    assert network(latents(total(128))).shape == (2, 128, 128, 3)
    kernels = [layer.kernel.shape for layer in [*network.convs, network.last]]  # [h, w, out, in]
    maps = [n // 16 for n in MAPS[128][:-1]] + [3]
    assert [k[2] for k in kernels] == maps
    assert [k[3] for k in kernels] == [a + b for a, b in zip([0, *maps], [*PLANES[128], 0], strict=False)]
    assert [k[:2] for k in kernels] == [(4, 4)] * 6 + [(3, 3)]
    assert len(network.norms) == 6


def test_widths_of_the_256_pixel_generator():
    network = NoisePlanesGenerator(256, 3, width=64, seed=0)
    assert [layer.filters for layer in [*network.convs, network.last]] == MAPS[256]


def test_every_plane_of_noise_is_seen():
    network, z = NoisePlanesGenerator(16, 3, width=4, seed=0), latents(total(16), 1)
    before, place = network(z).numpy(), 0
    for side, planes in noise_shapes(16):
        changed = z.copy()
        changed[:, place : place + side**2 * planes] *= -1
        assert not np.allclose(network(changed), before, atol=1e-6)
        place += side**2 * planes


def test_a_wrong_width_of_latents_is_an_error_that_says_the_right_one():
    changes = {"image_size": 128, "latent_size": 100, "generator": {"network": "NoisePlanes", "width": 4}}
    with pytest.raises(UsageError, match="takes 31844 latents, given 100. Set --config.latent_size=31844"):
        build.generator(toys.recipe(**changes), 3, 0)


@pytest.mark.parametrize("size", [4, 28, 48])
def test_a_size_without_noise_planes_is_an_error(size):
    with pytest.raises(UsageError, match=f"4 times a power of two.*given {size}"):
        NoisePlanesGenerator(size, 3, seed=0)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_the_grids_generator_against_numpy(depth):
    network, z = FullyConnectedGenerator(16, 1, depth=depth, width=6, seed=0), latents(7, 5)
    network(z)
    network.last.bias.assign(np.linspace(-1, 1, 256))
    x = z.astype(np.float64)
    for dense, norm in zip(network.hidden, network.norms, strict=True):
        x = x @ dense.kernel.numpy()
        x = np.maximum((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * norm.gain.numpy(), 0)
    expected = np.tanh(x @ network.last.kernel.numpy() + network.last.bias.numpy()).reshape(5, 16, 16, 1)
    assert len(network.hidden) == depth - 1
    np.testing.assert_allclose(network(z, statistics=BatchStatistics()), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "width"), [(FullyConnectedGenerator, 8), (NoisePlanesGenerator, total(16)), (BEGANGenerator, 8)]
)
def test_generators_in_mixed_bfloat16_keep_images_and_weights_float32(kind, width):
    network = kind(16, 3, width=4, seed=0, dtype="mixed_bfloat16")
    images = network(latents(width))
    assert images.dtype == tf.float32 and {w.dtype for w in network.variables} == {"float32"}
    np.testing.assert_allclose(images, kind(16, 3, width=4, seed=0)(latents(width)), atol=0.03)


@pytest.mark.parametrize("kind", [FullyConnectedGenerator, NoisePlanesGenerator, BEGANGenerator])
def test_generators_refuse_labels(kind):
    with pytest.raises(UsageError, match=f"{kind.__name__} takes no labels"):
        kind(16, 3, 10, seed=0)
