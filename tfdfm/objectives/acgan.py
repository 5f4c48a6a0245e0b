"""Auxiliary classifier GAN (Odena, Olah & Shlens, ICML 2017)."""

import tensorflow as tf

from tfdfm.objectives.base import Losses
from tfdfm.objectives.forward import Forward
from tfdfm.objectives.minimax import Minimax, cross_entropy


class AuxiliaryClassifier(Minimax):
    """G makes an image of a class, and D tells whether an image is real and of which class it is.

    L_S = E log P(real | x) + E log P(fake | G(z, c)), and L_C = E log P(c | x) + E log P(c | G(z, c')), c' = c for a
    sample: D maximises L_S + L_C (eq. 2, 3), G maximises L_C - L_S, which is taken in its non-saturating form: G
    maximises E log P(real | G) instead of minimising E log P(fake | G).

    An image without a label has a class loss of 0 and counts in the mean: L_C is the sum over the images that have one
    by the size of the whole batch, however they fall on replicas, so that few labels weigh little beside L_S.
    """

    needs = ("class_logits",)
    conditional = True

    def discriminator_loss(self, forward: Forward) -> Losses:
        return super().discriminator_loss(forward) | {  # - L_S  (eq. 2)
            "class_data": class_entropy(forward.real.class_logits, forward.labels),  # - log P(c | x)           (eq. 3)
            "class_samples": class_entropy(forward.fake.class_logits, forward.sample_labels),  # - log P(c | G)  (eq. 3)
        }

    def generator_loss(self, forward: Forward) -> Losses:
        return {
            "acgan": cross_entropy(forward.fake.score, 1.0),  # - log P(real | G), for + log P(fake | G)
            "class": class_entropy(forward.fake.class_logits, forward.sample_labels),
        }

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        return super().diagnostics(forward, losses) | class_accuracy(forward)


def class_accuracy(forward: Forward) -> Losses:
    """The share of samples whose class D tells, to log."""
    right = tf.argmax(forward.fake.class_logits, axis=1, output_type=tf.int32) == forward.sample_labels
    return {"discriminator/class_accuracy_samples": tf.reduce_mean(tf.cast(right, tf.float32))}


def class_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """- log softmax(l)_c of each row, 0 and without gradient where the label is below 0.  [B, C], int [B] -> [B]"""
    known = labels >= 0
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.where(known, labels, 0), logits=logits)
    return tf.where(known, entropy, 0.0)
