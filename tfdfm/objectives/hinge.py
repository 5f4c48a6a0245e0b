"""The hinge game (Lim & Ye, 2017; Tran et al., 2017), as SNGAN plays it (Miyato et al., ICLR 2018, eq. 16 and 17)."""

import keras
import tensorflow as tf

from tfdfm.objectives.base import ADVERSARIAL, Losses, Objective
from tfdfm.objectives.forward import Forward


class Hinge(Objective):
    """D's score is to be above 1 on data and below -1 on samples; G raises the score of its samples."""

    primary, players = True, ADVERSARIAL

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {
            "data": keras.ops.relu(1.0 - forward.real.score),
            "samples": keras.ops.relu(1.0 + forward.fake.score),
        }

    def generator_loss(self, forward: Forward) -> Losses:
        return {"hinge": -forward.fake.score}

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        """D's mean score of data less that of samples; 2 and more: D is sure."""
        return {"discriminator/gap": tf.reduce_mean(forward.real.score) - tf.reduce_mean(forward.fake.score)}
