"""Energy-based GAN (Zhao, Mathieu & LeCun, ICLR 2017)."""

import tensorflow as tf

from tfdfm.objectives.base import ADVERSARIAL, Objective, Play


class EnergyBased(Objective):
    """D gives data low energies and samples energies up to a margin; G seeks samples of low energy.

    D(x) is the discriminator's score: the norm of an autoencoder's reconstruction error (eq. 13). The pull-away term
    of EBGAN-PT is `pull_away`.

    Args:
        margin: m, the energy of a sample above which D leaves it alone (appendix C: MNIST 10, CelebA 20, LSUN 80).
    """

    game, players = True, ADVERSARIAL
    needs = ("reconstruction",)

    def __init__(self, margin: float = 10.0):
        super().__init__()
        self.margin = margin

    def discriminator_loss(self, play: Play):
        return {
            "data": play.real.score,  # D(x)                                 (eq. 1)
            "samples": tf.nn.relu(self.margin - play.fake.score),  # [m - D(G(z))]+  (eq. 1)
        }

    def generator_loss(self, play: Play):
        return {"ebgan": play.fake.score}  # D(G(z))                         (eq. 2)

    def diagnostics(self, play: Play, losses):
        """The share of samples that D still pushes up; at 0 it learns from data alone."""
        within = tf.cast(play.fake.score < self.margin, tf.float32)
        return {"discriminator/samples_within_margin": tf.reduce_mean(within)}
