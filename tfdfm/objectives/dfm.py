"""Denoising feature matching (Warde-Farley & Bengio, ICLR 2017)."""

import tensorflow as tf

from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward, decayed


class DenoisingFeatureMatching(Objective):
    """A denoiser r learns the features Phi(x) of data; G is drawn to what r makes of the features of its samples.

    Corruption C is isotropic Gaussian noise, added to the features of data only. r's output on samples is a constant:
    no gradient flows through r. Phi is a constant to the denoiser. The weight is divided by the number of features
    (section 5).

    Args:
        weight: lambda_denoise times the number of features (section 5: 0.03).
        sigma: standard deviation of the corruption (section 5: 1, fixed).
        anneal_steps: steps in which sigma falls linearly to 0, as the paper tried without gain; 0 keeps it fixed.
    """

    needs = ("features",)
    players = {"denoiser": ("denoiser",)}

    def __init__(self, weight: float = 0.03, sigma: float = 1.0, anneal_steps: int = 0):
        super().__init__()
        self.weight, self.sigma, self.anneal_steps = weight, sigma, anneal_steps

    def denoiser_loss(self, forward: Forward) -> Losses:
        phi = tf.stop_gradient(forward.real.features)  # [B, F]
        corrupted = phi + self._sigma(forward) * forward.random.normal("corruption", phi.shape)
        denoised = forward.networks["denoiser"](corrupted, statistics=forward.tracked)
        return {"dfm": squared_norm(phi - denoised)}  # || Phi(x) - r(C(Phi(x))) ||^2                          (eq. 5)

    def generator_loss(self, forward: Forward) -> Losses:
        phi = forward.fake.features  # [B, F]
        target = tf.stop_gradient(forward.networks["denoiser"](tf.stop_gradient(phi), statistics=forward.untracked))
        scale = self.weight / phi.shape[-1]
        return {"dfm": scale * squared_norm(phi - target)}  # lambda || Phi(G(z)) - r(Phi(G(z))) ||^2          (eq. 4)

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        """Whether sigma fits the features, and r does better than their mean (at 1 it drags samples into blur)."""
        variance = tf.math.reduce_variance(forward.real.features, axis=0)  # [F]
        error = tf.reduce_mean(losses["denoiser"]["dfm"])
        return {
            "denoiser/sigma": self._sigma(forward),
            "denoiser/feature_deviation": tf.sqrt(tf.reduce_mean(variance)),
            "denoiser/unexplained_variance": tf.math.divide_no_nan(error, tf.reduce_sum(variance)),
        }

    def _sigma(self, forward: Forward) -> tf.Tensor:
        return decayed(self.sigma, self.anneal_steps, forward.step)


def squared_norm(x: tf.Tensor) -> tf.Tensor:
    """[B, F] -> [B]"""
    return tf.reduce_sum(tf.square(x), axis=-1)
