"""The game of improved GAN with classes."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.feature_matching_game import FeatureMatchingGame


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def output(logits):
    logits = tf.constant(logits, tf.float32)
    return DiscriminatorOutput(tf.reduce_logsumexp(logits, axis=1), None, logits)


def test_ds_losses_are_those_of_a_softmax_over_one_class_more_times_one_half():
    rng = np.random.default_rng(0)
    data, samples = rng.normal(size=(2, 4, 5)) * 2
    game = FeatureMatchingGame(discriminator_weight=0.5)
    losses = game.discriminator_loss(SimpleNamespace(real=output(data), fake=output(samples)))
    real, fake = (log_softmax(np.concatenate([logits, np.zeros([4, 1])], axis=1)) for logits in (data, samples))
    np.testing.assert_allclose(losses["data"], -0.5 * np.log(np.exp(real[:, :5]).sum(1)), rtol=1e-6)
    np.testing.assert_allclose(losses["samples"], -0.5 * fake[:, 5], rtol=1e-6)
