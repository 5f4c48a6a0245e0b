"""Energy-based GAN (Zhao, Mathieu & LeCun, ICLR 2017)."""

import tensorflow as tf

from tfdfm.objectives.base import ADVERSARIAL, Losses, Objective
from tfdfm.objectives.forward import Forward, decayed


class EnergyBased(Objective):
    """D gives data low energies and samples energies up to a margin; G seeks samples of low energy.

    D(x) is the discriminator's score: the norm of an autoencoder's reconstruction error (eq. 13). The pull-away term
    of EBGAN-PT is `pull_away`. With a margin of 0 D learns from data alone.

    Args:
        margin: m, the energy of a sample above which D leaves it alone (appendix C: MNIST 10, CelebA 20, LSUN 80).
        margin_steps: steps in which m falls linearly to 0 (appendix D: 60,000); 0 keeps it fixed.
        weight: of D's loss, beside a class loss (appendix D: 1000 / 784).
    """

    primary, players = True, ADVERSARIAL
    needs = ("reconstruction",)

    def __init__(self, margin: float = 10.0, margin_steps: int = 0, weight: float = 1.0):
        super().__init__()
        self.margin, self.margin_steps, self.weight = margin, margin_steps, weight

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {
            "data": self.weight * forward.real.score,  # D(x)                                              (eq. 1)
            "samples": self.weight * tf.nn.relu(self._margin(forward) - forward.fake.score),  # [m - D(G(z))]+  (eq. 1)
        }

    def generator_loss(self, forward: Forward) -> Losses:
        return {"ebgan": forward.fake.score}  # D(G(z))                                                    (eq. 2)

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        """The share of samples that D still pushes up; at 0 it learns from data alone."""
        within = tf.cast(forward.fake.score < self._margin(forward), tf.float32)
        return {
            "discriminator/samples_within_margin": tf.reduce_mean(within),
            "discriminator/margin": self._margin(forward),
        }

    def _margin(self, forward: Forward) -> tf.Tensor:
        return decayed(self.margin, self.margin_steps, forward.step)
