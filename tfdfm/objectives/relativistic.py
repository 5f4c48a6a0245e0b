"""The relativistic pairing game, RpGAN (Jolicoeur-Martineau, ICLR 2019; R3GAN, Huang et al., NeurIPS 2024, eq. 2)."""

import tensorflow as tf

from tfdfm.objectives.base import ADVERSARIAL, Losses, Objective
from tfdfm.objectives.forward import Forward


class Relativistic(Objective):
    """Each sample is judged beside an image of the data, that of the same place in the batch.

    D minimises softplus(D(G(z)) - D(x)), G softplus(D(x) - D(G(z))): no minimum where all samples are one mode.
    """

    primary, players = True, ADVERSARIAL

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {"relativistic": tf.math.softplus(forward.fake.score - forward.real.score)}

    def generator_loss(self, forward: Forward) -> Losses:
        return {"relativistic": tf.math.softplus(forward.real.score - forward.fake.score)}

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        """The share of pairs in which the image of the data has the higher score; at 1/2 D cannot tell."""
        right = tf.cast(forward.real.score > forward.fake.score, tf.float32)
        return {"discriminator/pairs_right": tf.reduce_mean(right)}
