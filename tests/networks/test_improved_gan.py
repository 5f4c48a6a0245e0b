"""The networks of improved GAN."""

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.networks import improved_gan
from tfdfm.networks.improved_gan_layers import WeightNorm
from tfdfm.random import Noise, Random
from tfdfm.recipes import recipe


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def noise():
    return Noise(Random(0, tf.constant(3, tf.int64), tf.constant(0, tf.int64)), "data")


def test_a_sample_of_virtual_batch_norm_does_not_depend_on_its_batch():
    network, latents = improved_gan.ImprovedGANGenerator(16, 3, width=4, reference=5, seed=0), numbers(6, 8)
    together = network(latents).numpy()
    np.testing.assert_allclose(network(latents[2:3]), together[2:3], atol=1e-6)
    assert network.chosen.shape == (5, 8) and not network.chosen.trainable
    network.chosen.assign(network.chosen + 0.5)
    assert abs(network(latents).numpy() - together).max() > 1e-3


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (improved_gan.ImprovedGANClassifierDiscriminator, 32),
        (improved_gan.ImprovedGANFullyConnectedDiscriminator, 28),
        (improved_gan.ImprovedGANClassifierDiscriminator, 16),
    ],
)
def test_the_score_is_the_log_sum_of_the_classes(make, size):
    network, images = make(size, 10, width=4, seed=0), np.tanh(numbers(3, size, size, 1))
    output = network(images)
    expected = np.log(np.exp(output.class_logits.numpy().astype(float)).sum(1))
    np.testing.assert_allclose(output.score, expected, rtol=1e-5)
    assert output.class_logits.shape == (3, 10) and output.features.shape == (3, network.num_features)
    assert abs(network(images, noise=noise()).score - output.score).numpy().max() > 1e-4


def test_convolutions_are_those_of_their_code():
    network = improved_gan.ImprovedGANDiscriminator(32, width=96, seed=0)
    network(tf.zeros([1, 32, 32, 3]))
    shapes = [tuple(conv.direction.shape) for conv in network.convs]
    maps = [3, 96, 96, 96, 192, 192, 192, 192, 192, 192]
    assert shapes == [(k, k, *maps[i : i + 2]) for i, k in enumerate([3] * 7 + [1] * 2)]
    assert [conv.strides for conv in network.convs] == [1, 1, 2, 1, 1, 2, 1, 1, 1]
    assert [conv.padding for conv in network.convs].index("VALID") == 6
    assert network.head.direction.shape == (192 + 100, 1) and network.neighbours.direction.shape == (192, 500)


def test_noise_stands_before_their_code_has_dropout():
    class Dropout:
        places, gaussian = [], staticmethod(lambda x, deviation: x)

        def dropout(self, x, rate):
            self.places.append((rate, *x.shape[1:]))
            return x

    network, images = improved_gan.ImprovedGANClassifierDiscriminator(32, 10, width=4, seed=0), tf.zeros([1, 32, 32, 3])
    network(images)
    network(images, noise=Dropout())
    assert [place for place in Dropout.places if place[1] != 32] == [(0.5, 16, 16, 4), (0.5, 8, 8, 8)]


def test_the_scale_of_activations_is_kept_without_data():
    """He et al.'s argument: from layer to layer the mean square stays within a factor of a few."""
    network, images = (
        improved_gan.ImprovedGANClassifierDiscriminator(32, 10, width=32, seed=0),
        np.tanh(numbers(8, 32, 32, 3)),
    )
    x, squares = tf.constant(images), []
    network(images)
    for conv in network.convs:
        x = tf.nn.leaky_relu(conv(x), improved_gan.LEAK)
        squares.append(float(tf.reduce_mean(x**2)))
    assert max(squares) < 10 * min(squares)
    assert 0.01 < float(tf.math.reduce_std(network(images).class_logits)) < 1


def test_the_generators_are_those_of_their_code():
    convolutional = improved_gan.ImprovedGANGenerator(32, 3, width=128, seed=0)
    assert convolutional(numbers(2, 100)).shape == (2, 32, 32, 3)
    assert [layer.kernel.shape[2:] for layer in convolutional.convs] == [(256, 512), (128, 256)]
    assert convolutional.last.direction.shape == (5, 5, 128, 3)
    flat = improved_gan.ImprovedGANFullyConnectedGenerator(28, 1, seed=0)
    images = flat(numbers(2, 100)).numpy()
    assert images.shape == (2, 28, 28, 1) and -1 <= images.min() < images.max() <= 1
    assert [layer.kernel.shape for layer in flat.hidden] == [(100, 500), (500, 500)]
    names = [w.name for net in (convolutional, flat) for norm in net.norms for w in norm.trainable_variables]
    assert set(names) == {"bias"}  # no gain


def test_first_weights_and_epsilon_are_those_of_their_code():
    """Without them the unlabelled images of mnist_improved_ssl teach nothing for thousands of steps."""
    network = improved_gan.ImprovedGANFullyConnectedDiscriminator(8, 10, width=400, seed=0)
    network(numbers(2, 8, 8, 1))
    for layer in (*network.hidden, network.head):
        assert np.std(layer.direction.numpy()) == pytest.approx(0.1, rel=0.05)
    heads = (
        network.head,
        improved_gan.ImprovedGANClassifierDiscriminator(8, 10, seed=0).head,
        improved_gan.ImprovedGANDiscriminator(8, seed=0).head,
    )
    assert [head.gain for head in heads[1:]] == [0.5, 0.2] and np.unique(heads[0].gain) == pytest.approx(1.3)
    conv = WeightNorm(64, 3, gain=1.0, seed=0)
    conv(numbers(1, 4, 4, 16))
    assert np.std(conv.direction.numpy()) == pytest.approx(0.05, rel=0.05)
    for name in ("mnist_improved_ssl", "cifar10_improved_ssl", "cifar10_improved"):
        keys = recipe(name).optimizer
        assert keys.method == "adam_root" and keys.epsilon == 1e-8  # a floor of 1e-4 under the root of the mean square
