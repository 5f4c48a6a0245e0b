"""The thesis's networks: four convolutions, 4x4, stride 2, 64 filters on the lowest layer."""

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks import iliescu
from tfdfm.networks.layers import BatchStatistics


def images(size=32, batch=4):
    return np.random.default_rng(0).uniform(-1, 1, (batch, size, size, 3)).astype(np.float32)


def latents(width=100, batch=4):
    return np.random.default_rng(1).normal(size=(batch, width)).astype(np.float32)


def kernels(network):
    return [
        tuple(layer.kernel.shape) for layer in [*network.convs, *([network.last] if "last" in vars(network) else [])]
    ]


def count(network):
    return sum(int(np.prod(w.shape)) for w in network.trainable_variables)


def test_the_discriminator_is_the_theses():
    network = iliescu.IliescuDiscriminator(32, seed=0)
    output = network(images())
    assert kernels(network) == [(4, 4, a, b) for a, b in ((3, 64), (64, 128), (128, 256), (256, 512))]
    assert [norm.gain.shape for norm in network.norms] == [(128,), (256,), (512,)]
    assert network.feature_shape == (2, 2, 512) and output.features.shape == (4, 2048)
    sizes = [(4, 16, 16, 64), (4, 8, 8, 128), (4, 4, 4, 256), (4, 2, 2, 512)]
    assert [x.shape for x in output.normalised] == [x.shape for x in output.activations] == sizes
    weights = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 2 * (128 + 256 + 512) + 2048
    assert count(network) == weights


def test_the_generator_is_its_inverse_and_conv2_is_as_large_as_ds_conv3():
    network = iliescu.IliescuGenerator(32, 3, seed=0)
    pictures = network(latents())
    assert pictures.shape == (4, 32, 32, 3) and np.abs(pictures).max() <= 1
    assert network.project.kernel.shape == (100, 2 * 2 * 512)
    sizes = ((512, 256), (256, 128), (128, 64), (64, 3))
    assert kernels(network) == [(4, 4, b, a) for a, b in sizes]  # a transposed kernel is [h, w, out, in]
    shapes = [x.shape[1:] for x in network.activations(latents())]
    assert shapes == [(2, 2, 512), (4, 4, 256), (8, 8, 128), (16, 16, 64)]


def test_activations_of_a_generator_end_in_its_image():
    network = iliescu.IliescuGenerator(32, 3, 10, width=4, seed=0)
    labels = tf.constant([1, 2, 3, 4])
    *_, last = network.activations(latents(), labels)
    np.testing.assert_array_equal(network.image(last, labels), network(latents(), labels=labels))
    assert not np.allclose(network(latents(), labels=labels), network(latents(), labels=labels[::-1]))


def test_the_discriminators_layers_against_its_own_answer():
    network = iliescu.IliescuDiscriminator(32, width=4, seed=0)
    output = network(images())
    maps, activations = network.normalised(images()), network.activations(images())
    for said, expected in ((output.normalised, maps), (output.activations, activations)):
        for one, other in zip(said, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(output.features, tf.reshape(tf.nn.relu(maps[3]), [4, -1]))
    for before, after in zip(maps[:3], activations[:3], strict=True):
        np.testing.assert_allclose(after, np.where(before > 0, before, 0.2 * before), rtol=1e-6)
    np.testing.assert_allclose(output.score, (output.features @ network.head.kernel)[:, 0], rtol=1e-4, atol=1e-6)


def test_the_encoder_has_ds_convolutions_and_says_mean_and_log_sigma():
    network = iliescu.IliescuEncoder(32, 7, width=4, seed=0)
    mean, log_sigma = network(images(), statistics=BatchStatistics())
    assert mean.shape == log_sigma.shape == (4, 7) and not np.allclose(mean, log_sigma)
    discriminator = iliescu.IliescuDiscriminator(32, width=4, seed=0)
    discriminator(images())
    assert kernels(network) == kernels(discriminator) and network.head.use_bias
    network.head.bias.assign(np.arange(14.0))
    changed, deviation = network(images(), statistics=BatchStatistics())
    np.testing.assert_allclose(changed - mean, np.tile(np.arange(7.0), (4, 1)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(deviation - log_sigma, np.tile(np.arange(7.0, 14), (4, 1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("depth", "base"), [(3, 4), (5, 1)])
def test_three_and_five_layers(depth, base):
    widest = 4 * 2 ** (depth - 1)
    generator = iliescu.IliescuGenerator(32, 3, width=4, depth=depth, seed=0)
    assert generator(latents()).shape == (4, 32, 32, 3)
    assert generator.project.kernel.shape == (100, base * base * widest)
    discriminator = iliescu.IliescuDiscriminator(32, width=4, depth=depth, seed=0)
    encoder = iliescu.IliescuEncoder(32, 7, width=4, depth=depth, seed=0)
    assert discriminator(images()).features.shape == (4, base * base * widest)
    assert encoder(images())[0].shape == (4, 7)
    inwards = [(3, 4), *((4 * 2**place, 8 * 2**place) for place in range(depth - 1))]
    assert kernels(discriminator) == kernels(encoder) == [(4, 4, a, b) for a, b in inwards]
    assert kernels(generator) == kernels(discriminator)[::-1]  # a transposed kernel is [h, w, out, in]
    for kind in (iliescu.IliescuDiscriminator, lambda size, **kwargs: iliescu.IliescuEncoder(size, 7, **kwargs)):
        with pytest.raises(UsageError, match=f"multiple of {2**depth}, given 20"):
            kind(20, depth=depth, seed=0)


def test_the_encoders_layers_end_in_its_answer():
    network = iliescu.IliescuEncoder(32, 7, width=4, seed=0)
    mean, _ = network(images())
    layers = network.activations(images())
    assert [x.shape[1:] for x in layers] == [(16, 16, 4), (8, 8, 8), (4, 4, 16), (2, 2, 32)]
    x = tf.reshape(layers[-1], [4, -1]) @ network.head.kernel + network.head.bias
    np.testing.assert_allclose(mean, x[:, :7], rtol=1e-4, atol=1e-6)


def test_f_against_numpy():
    network, x = iliescu.IliescuSeparator(width=3, seed=0), latents(2 * 2 * 5).reshape(4, 2, 2, 5)
    scores = network(x, statistics=BatchStatistics())
    kernel = network.conv_layer.kernel.numpy()[1:3, 1:3]  # what a 4x4 kernel of stride 2 sees of 2x2 with padding
    y = np.einsum("bhwi,hwio->bo", x, kernel)
    y = (y - y.mean(0)) / np.sqrt(y.var(0) + 1e-5) * network.norm_layer.gain.numpy()
    y = np.where(y > 0, y, 0.2 * y) @ network.head.kernel.numpy()
    np.testing.assert_allclose(scores, y[:, 0], rtol=1e-4, atol=1e-6)


def test_other_sizes():
    for size in (16, 48, 64):
        assert iliescu.IliescuGenerator(size, 1, width=4, seed=0)(latents()).shape == (4, size, size, 1)
        output = iliescu.IliescuDiscriminator(size, width=4, seed=0)(images(size))
        assert output.features.shape == (4, (size // 16) ** 2 * 32)
    for kind in (iliescu.IliescuDiscriminator, lambda size, **kwargs: iliescu.IliescuGenerator(size, 3, **kwargs)):
        with pytest.raises(UsageError, match="multiple of 16, given 40"):
            kind(40, seed=0)


def test_mixed_bfloat16_keeps_what_is_said_float32():
    policy = dict(seed=0, width=4, dtype="mixed_bfloat16")
    output = iliescu.IliescuDiscriminator(32, **policy)(images())
    mean, log_sigma = iliescu.IliescuEncoder(32, 7, **policy)(images())
    score = iliescu.IliescuSeparator(**policy)(output.normalised[2])
    pictures = iliescu.IliescuGenerator(32, 3, **policy)(latents())
    said = [output.score, output.features, *output.normalised, *output.activations, mean, log_sigma, score, pictures]
    assert {x.dtype for x in said} == {tf.float32}
