"""The variational autoencoder (Kingma & Welling, 2014; thesis sections 2 and 3.5)."""

import tensorflow as tf

from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward, once


class Inference(Forward):
    """The passes with an encoder, which infers the latents that an image may have come from."""

    @once
    def posterior(self) -> tuple[tf.Tensor, tf.Tensor]:
        """(mean, log sigma), each [B, Z], of q(z | x) on the data."""
        return self.networks["encoder"](self.images, statistics=self.tracked)

    @once
    def codes(self) -> tf.Tensor:
        """z^ = mu + sigma eps, a sample of q(z | x) for each image."""
        mean, log_sigma = self.posterior
        return mean + tf.exp(log_sigma) * self.random.normal("codes", mean.shape)  # [B, Z]

    @once
    def reconstructed(self) -> tf.Tensor:
        """G(z^)  [B, H, W, C]"""
        return self.networks["generator"](self.codes, labels=self.labels, statistics=self.tracked)


class Variational(Objective):
    """max E_q log p(x | z) - KL(q(z | x) || p(z)), the lower bound of log p(x); no discriminator.

    The thesis names no likelihood beside the squared error that autoencoders have: p(x | z) is a Gaussian about G(z)
    of variance 1/2, for pixels in [-1, 1], so that - log p(x | z) is the sum of the squares over pixels and channels,
    up to a constant. p(z) = N(0, 1).
    """

    primary, forward = True, Inference
    players = {"generator": ("generator", "encoder")}

    def generator_loss(self, forward: Inference) -> Losses:
        error = tf.square(forward.images - forward.reconstructed)
        return {
            "reconstruction": tf.reduce_sum(error, axis=[1, 2, 3]),  # - log p(x | z^)
            "kl": kl_to_prior(*forward.posterior),
        }


def kl_to_prior(mean: tf.Tensor, log_sigma: tf.Tensor) -> tf.Tensor:
    """KL(N(mu, sigma^2) || N(0, 1)) = 1/2 sum_j mu_j^2 + sigma_j^2 - 1 - 2 log sigma_j.  [B, Z], [B, Z] -> [B]"""
    return 0.5 * tf.reduce_sum(tf.square(mean) + tf.exp(2.0 * log_sigma) - 1.0 - 2.0 * log_sigma, axis=1)
