"""Boundary equilibrium GAN (Berthelot, Schumm & Metz, 2017; thesis section 2.4)."""

from collections.abc import Mapping, Set

import keras
import tensorflow as tf

from tfdfm.objectives.base import ADVERSARIAL, Losses, Objective
from tfdfm.objectives.forward import Forward


class BoundaryEquilibrium(Objective):
    """D autoencodes data well and samples badly, in a balance gamma = E L(G(z)) / E L(x) that k_t keeps (eq. 12).

    L is the discriminator's score, the mean absolute error of the reconstruction. The thesis's eq. 11 squares it; the
    paper does not. z_D and z_G of eq. 13 are the same latents where all players are updated at once.

    Args:
        gamma: the diversity of samples, in [0, 1]: a low one makes them better and more alike.
        lambda_k: the learning rate of k, which starts at 0 and stays in [0, 1].
    """

    primary, players = True, ADVERSARIAL
    needs = ("reconstruction",)

    def __init__(self, gamma: float = 0.5, lambda_k: float = 0.001):
        super().__init__()
        self.gamma, self.lambda_k = gamma, lambda_k
        self.k = self.variable(0.0, "k")

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {
            "data": forward.real.score,
            "samples": -self.k * forward.fake.score,
        }  # L(x) - k_t L(G(z_D))     (eq. 13)

    def generator_loss(self, forward: Forward) -> Losses:
        return {"began": forward.fake.score}  # L(G(z_G))                                                     (eq. 13)

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        return {"discriminator/k": self.k.read_value()}

    def after_step(self, networks: Mapping[str, keras.Model], logs: Losses, *, moved: Set[str]) -> Losses:
        if "generator" not in moved:
            return {}
        data, samples = logs["discriminator/data"], logs["generator/began"]
        balance = self.gamma * data - samples
        self.k.assign(tf.clip_by_value(self.k + self.lambda_k * balance, 0.0, 1.0))  # k_{t+1}             (eq. 13)
        return {"discriminator/convergence": data + tf.abs(balance)}  # M = L(x) + |gamma L(x) - L(G(z))|   (eq. 14)
