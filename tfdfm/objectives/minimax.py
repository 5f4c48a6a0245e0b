"""The original game (Goodfellow et al., 2014; dfm eq. 1)."""

import tensorflow as tf

from tfdfm.objectives.base import ADVERSARIAL, Losses, Objective
from tfdfm.objectives.forward import Forward


class Minimax(Objective):
    """arg min_G max_D  E log D(x) + E log(1 - D(G(z))), D the sigmoid of the discriminator's score."""

    primary, players = True, ADVERSARIAL

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {
            "data": cross_entropy(forward.real.score, 1.0),  # - log D(x)            (eq. 1)
            "samples": cross_entropy(forward.fake.score, 0.0),  # - log(1 - D(G(z)))  (eq. 1)
        }

    def generator_loss(self, forward: Forward) -> Losses:
        return {"minimax": -cross_entropy(forward.fake.score, 0.0)}  # log(1 - D(G(z)))  (eq. 1)

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        return {
            "discriminator/accuracy_data": tf.reduce_mean(tf.cast(forward.real.score > 0, tf.float32)),
            "discriminator/accuracy_samples": tf.reduce_mean(tf.cast(forward.fake.score < 0, tf.float32)),
        }


def cross_entropy(logits: tf.Tensor, target: float) -> tf.Tensor:
    """- target log s(l) - (1 - target) log(1 - s(l)), s the sigmoid, for each logit.  [B] -> [B]"""
    return tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), target), logits)
