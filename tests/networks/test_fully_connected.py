"""The discriminators of EBGAN's grid: the GANs' against NumPy, and dropout in both."""

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks.ebgan import FullyConnectedAutoencoderDiscriminator, FullyConnectedDiscriminator
from tfdfm.networks.layers import BatchNorm, BatchStatistics
from tfdfm.random import Noise, Random

IMAGES = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 1)).astype(np.float32)


def made(kind=FullyConnectedDiscriminator, **keys):
    network = kind(16, **({"depth": 3, "width": 6} | keys), seed=0)
    return network, network(IMAGES)


def noise(step=0):
    return Noise(Random(0, tf.constant(step, tf.int64), tf.constant(0, tf.int64)), "data")


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_layers_are_as_many_as_asked_and_normalised_between(depth):
    network, output = made(depth=depth)
    shapes = [tuple(layer.kernel.shape) for layer in [network.first, *network.hidden, network.last]]
    assert shapes == [(256, 6), *[(6, 6)] * (depth - 2), (6, 1)]
    assert len(network.norms) == depth - 2 and not any(layer.use_bias for layer in network.hidden)
    assert output.score.shape == (4,) and output.features.shape == (4, network.num_features)
    assert made(width=512)[0].first.kernel.numpy().std() == pytest.approx(0.002, rel=0.02)


def test_it_is_what_numpy_says():
    network, _ = made()
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
    plain, dropping = made(kind)[0], made(kind, dropout=0.5)[0]
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
            made(**wrong)
    with pytest.raises(UsageError, match="FullyConnectedDiscriminator takes no labels"):
        FullyConnectedDiscriminator(16, 10, seed=0)
