"""The hinge game (Lim & Ye, 2017) with a margin to choose: an objective of one's own, beside a recipe or by its path.

python -m tfdfm.train --config=examples/digits_gap.py --config.gap.margin=0.5
python -m tfdfm.train --config=digits --config.terms=examples/gap.py:Gap,dfm
"""

import tensorflow as tf

from tfdfm.objectives.base import ADVERSARIAL, Losses, Objective
from tfdfm.objectives.forward import Forward


class Gap(Objective):
    """D separates the scores of data and samples by two margins; G raises those of its samples.

    Args:
        margin: above which D leaves a score alone.
    """

    primary, players = True, ADVERSARIAL

    def __init__(self, margin: float = 1.0):
        super().__init__()
        self.margin = margin

    def discriminator_loss(self, forward: Forward) -> Losses:
        real, fake = forward.real.score, forward.fake.score  # [B] each
        return {"data": tf.nn.relu(self.margin - real), "samples": tf.nn.relu(self.margin + fake)}

    def generator_loss(self, forward: Forward) -> Losses:
        return {"gap": -forward.fake.score}
