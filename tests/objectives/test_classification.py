"""The class loss of few labels."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.classification import Classification


def output(logits):
    logits = tf.constant(logits, tf.float32)
    return DiscriminatorOutput(tf.reduce_logsumexp(logits, axis=1), None, logits)


def test_the_class_loss_by_hand_and_its_accuracy():
    logits = np.log([[1.0, 1.0, 2.0], [3.0, 0.5, 0.5]]).astype(np.float32)
    forward = SimpleNamespace(labelled=(output(logits), tf.constant([2, 1])))
    term = Classification(weight=2.0)
    np.testing.assert_allclose(
        term.discriminator_loss(forward)["classification"], [2 * np.log(2), 2 * np.log(8)], rtol=1e-6
    )
    assert float(term.diagnostics(forward, {})["discriminator/accuracy_labelled"]) == 0.5
