"""The class loss of semi-supervised learning (Rasmus et al., 2015; Salimans et al., 2016, section 5)."""

import tensorflow as tf

from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward


class Classification(Objective):
    """D tells the classes of a batch of labelled images of its own: - log p(y | x, y <= K).

    Args:
        weight: of the term in D's loss.
    """

    needs = ("class_logits",)
    supervised = True

    def __init__(self, weight: float = 1.0):
        super().__init__()
        self.weight = weight

    def discriminator_loss(self, forward: Forward) -> Losses:
        output, labels = forward.labelled
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, output.class_logits)  # - l_y + lse(l)
        return {"classification": self.weight * loss}

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        output, labels = forward.labelled
        right = tf.equal(tf.argmax(output.class_logits, axis=1, output_type=labels.dtype), labels)
        return {"discriminator/accuracy_labelled": tf.reduce_mean(tf.cast(right, tf.float32))}
