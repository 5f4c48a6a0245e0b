"""ALI's three networks for 32 pixels: shapes without padding, maxout, dropout, and [0, 1] inside."""

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks import ali
from tfdfm.networks.ali import maxout
from tfdfm.networks.layers import BatchStatistics, unit

MAPS = [(5, 3, 32), (4, 32, 64), (4, 64, 128), (4, 128, 256), (4, 256, 512)]  # kernel, in, out


def images(batch=3):
    return np.random.default_rng(0).uniform(-1, 1, (batch, 32, 32, 3)).astype(np.float32)


def codes(width=64, batch=3):
    return np.random.default_rng(1).normal(size=(batch, width)).astype(np.float32)


def kernels(layers):
    return [tuple(layer.kernel.shape) for layer in layers]


class Recorder:
    """A noise that only writes down what is asked of it."""

    def __init__(self):
        self.asked = []

    def dropout(self, x, rate):
        self.asked.append((tuple(x.shape[1:]), rate))
        return x


def test_the_encoder_is_theirs():
    network = ali.ALIEncoder(32, 64, seed=0)
    mean, log_sigma = network(images())
    expected = [(k, k, a, b) for k, a, b in [*MAPS, (1, 512, 512), (1, 512, 128)]]
    assert kernels([*network.convs, network.last]) == expected
    assert [conv.strides[0] for conv in network.convs] == [1, 2, 1, 2, 1, 1]
    assert mean.shape == log_sigma.shape == (3, 64) and len(network.norms) == 6
    assert network.last.use_bias and not any(conv.use_bias for conv in network.convs)


def test_the_generator_is_theirs():
    network = ali.ALIGenerator(32, 3, seed=0)
    assert network(codes()).shape == (3, 32, 32, 3)
    sizes = [(4, 64, 256), (4, 256, 128), (4, 128, 64), (4, 64, 32), (5, 32, 32), (1, 32, 32)]
    assert kernels(network.convs) == [(k, k, b, a) for k, a, b in sizes]  # a transposed kernel is [h, w, out, in]
    assert [conv.strides[0] for conv in network.convs] == [1, 2, 1, 2, 1, 1]
    assert network.last.kernel.shape == (1, 1, 32, 3) and network.last.use_bias


def test_the_generators_image_is_the_papers_sigmoid_on_our_scale():
    network = ali.ALIGenerator(32, 1, width=2, seed=0)
    network(codes())
    network.last.kernel.assign(np.zeros([1, 1, 2, 1]))
    for bias in (-3.0, 0.0, 2.0):
        network.last.bias.assign([bias])
        np.testing.assert_allclose(unit(network(codes())), 1 / (1 + np.exp(-bias)), rtol=1e-5)


@pytest.mark.parametrize("mean", [0.1, 0.5])
def test_the_generator_starts_at_the_datas_mean_pixel(mean):
    network = ali.ALIGenerator(32, 1, width=2, log_odds=float(np.log(mean / (1 - mean))), seed=0)
    np.testing.assert_allclose(unit(network(codes())), mean, atol=0.02)


def test_the_joint_discriminator_is_theirs():
    network = ali.ALIDiscriminator(32, seed=0)
    output = network(images(), codes())
    halved = [(k, k, a if a == 3 else a // 2, b) for k, a, b in MAPS]  # of what maxout leaves
    assert kernels(network.of_x) == halved and kernels(network.of_z) == [(1, 1, 64, 512), (1, 1, 256, 512)]
    assert kernels([*network.of_both, network.last]) == [(1, 1, 512, 1024), (1, 1, 512, 1024), (1, 1, 512, 1)]
    assert output.score.shape == (3,) and output.features.shape == (3, 512)
    assert network.num_features == 512 and network.feature_shape == (1, 1, 512) and not hasattr(network, "norms")
    biased = [layer.use_bias for layer in [*network.of_x, *network.of_z, *network.of_both, network.last]]
    assert biased == [True] + 4 * [False] + 2 * [False] + 3 * [True]


def test_maxout_needs_pairs_of_maps():
    with pytest.raises(UsageError, match="even discriminator.width.*given 3"):
        ali.ALIDiscriminator(32, width=3, seed=0)


def test_the_joint_discriminator_against_plain_operations():
    network = ali.ALIDiscriminator(32, width=2, seed=0)
    output = network(images(), codes(8))
    for layer in (network.of_x[0], *network.of_both, network.last):
        layer.bias.assign(np.linspace(-0.01, 0.01, layer.bias.shape[0]))

    def pieces(x, layer, stride=1):
        y = tf.nn.conv2d(x, layer.kernel.value, stride, "VALID") + (layer.bias.value if layer.use_bias else 0)
        return tf.maximum(y[..., ::2], y[..., 1::2])

    x, z = (images() + 1) / 2, codes(8).reshape(3, 1, 1, 8)
    for layer, stride in zip(network.of_x, (1, 2, 1, 2, 1), strict=True):
        x = pieces(x, layer, stride)
    for layer in network.of_z:
        z = pieces(z, layer)
    both = tf.concat([x, z], -1)
    for layer in network.of_both:
        both = pieces(both, layer)
    score = tf.reshape(both, [3, -1]) @ tf.reshape(network.last.kernel, [-1, 1]) + network.last.bias.value
    output = network(images(), codes(8))
    np.testing.assert_allclose(output.features, tf.reshape(both, [3, -1]), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(output.score, score[:, 0], rtol=1e-4, atol=1e-7)


def test_dropout_is_a_fifth_of_image_and_code_and_half_of_all_else():
    network, noise = ali.ALIDiscriminator(32, width=4, seed=0), Recorder()
    network(images(), codes(8))
    network(images(), codes(8), noise=noise)
    of_x = [((32, 32, 3), 0.2), ((28, 28, 2), 0.5), ((13, 13, 4), 0.5), ((10, 10, 8), 0.5), ((4, 4, 16), 0.5)]
    of_z, of_both = [((1, 1, 8), 0.2), ((1, 1, 32), 0.5)], [((1, 1, 64), 0.5)] * 3
    assert noise.asked == of_x + of_z + of_both


def test_on_svhn_leaky_relus_and_batch_norm_stand_for_maxout():
    network, noise = ali.ALIDiscriminator(32, width=3, maxout=False, seed=0), Recorder()
    output = network(images(), codes(8))
    x = (images() + 1) / 2
    for place, (layer, norm) in enumerate(zip(network.of_x, network.x_norms, strict=True)):
        x = layer(x)
        x = tf.nn.leaky_relu(norm(x) if place else x, 0.01)
    z = codes(8).reshape(3, 1, 1, 8)
    for layer in network.of_z:
        z = tf.nn.leaky_relu(layer(z), 0.01)
    both = tf.concat([x, z], -1)
    for layer in network.of_both:
        both = tf.nn.leaky_relu(layer(both), 0.01)
    assert output.features.shape == (3, 96) and network.num_features == 96
    np.testing.assert_allclose(output.features, both[:, 0, 0], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(output.score, network.last(both)[:, 0, 0, 0], rtol=1e-4, atol=1e-7)
    assert [hasattr(norm, "gain") for norm in network.x_norms] == [False] + 4 * [True]
    statistics = BatchStatistics()
    network(images(), codes(8), statistics=statistics, noise=noise)
    assert {rate for _, rate in noise.asked} == {0.2} and len(noise.asked) == 5 + 2 + 3
    assert len(statistics.recorded) == 8


@pytest.mark.parametrize("slope", [0.1, 0.01])
def test_the_encoders_layers_end_in_its_answer(slope):
    network = ali.ALIEncoder(32, 7, width=2, slope=slope, seed=0)
    layers, (mean, _) = network.activations(images()), network(images())
    assert [x.shape[1:] for x in layers[-3:]] == [(4, 4, 16), (1, 1, 32), (1, 1, 32)]
    np.testing.assert_allclose(network.last(layers[-1])[:, 0, 0, :7], mean, rtol=1e-5, atol=1e-8)
    first = network.norms[0](network.convs[0](unit(images())))
    np.testing.assert_allclose(layers[0], np.where(first > 0, first, slope * first), rtol=1e-4, atol=1e-7)


def test_maxout_by_hand():
    x = tf.reshape(tf.constant([1.0, 3.0, -2.0, -5.0]), [1, 1, 1, 4])
    np.testing.assert_array_equal(tf.reshape(maxout(x), [-1]), [3, -2])


def test_weights_start_small():
    network = ali.ALIEncoder(32, 64, seed=0)
    network(images())
    for layer in (network.convs[3], network.last):
        assert layer.kernel.numpy().std() == pytest.approx(0.01, rel=0.02)


def test_mixed_bfloat16_keeps_what_is_said_float32():
    policy = dict(seed=0, width=2, dtype="mixed_bfloat16")
    said = [*ali.ALIDiscriminator(32, **policy)(images(), codes(8))[:2], *ali.ALIEncoder(32, 8, **policy)(images())]
    said.append(ali.ALIGenerator(32, 3, **policy)(codes(8), statistics=BatchStatistics()))
    assert {x.dtype for x in said} == {tf.float32}


@pytest.mark.parametrize(
    "kind",
    [ali.ALIDiscriminator, lambda *args, **kw: ali.ALIEncoder(args[0], 8, *args[1:], **kw)],
    ids=["joint", "encoder"],
)
def test_labels_and_other_sizes_are_refused(kind):
    with pytest.raises(UsageError, match="for 32 pixels.*Given 64.*--config.image_size=32"):
        kind(64, seed=0)
    with pytest.raises(UsageError, match=r"ALI\w+ takes no labels"):
        kind(32, 10, seed=0)
