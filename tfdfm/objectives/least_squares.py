"""The least squares game (LSGAN, Mao et al., ICCV 2017, eq. 9)."""

import tensorflow as tf

from tfdfm.objectives.base import ADVERSARIAL, Losses, Objective
from tfdfm.objectives.forward import Forward


class LeastSquares(Objective):
    """Half the squared distance of D's score from its target: 1 on data, 0 on samples; G's target for samples is 1."""

    primary, players = True, ADVERSARIAL

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {
            "data": 0.5 * tf.square(forward.real.score - 1.0),
            "samples": 0.5 * tf.square(forward.fake.score),
        }

    def generator_loss(self, forward: Forward) -> Losses:
        return {"least_squares": 0.5 * tf.square(forward.fake.score - 1.0)}
