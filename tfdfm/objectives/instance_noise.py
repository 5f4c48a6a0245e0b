"""Instance noise (Sønderby et al., 2017; Arjovsky & Bottou, 2017; slides, "softer metrics: add noise")."""

import tensorflow as tf

from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward, decayed


class InstanceNoise(Objective):
    """Gaussian noise on all images that D sees, so that the distributions of data and samples overlap.

    Data and samples have draws of their own; each is the same for all losses of an update.

    Args:
        sigma: standard deviation at the start, for pixels in [-1, 1].
        anneal_steps: steps in which it falls linearly to 0; 0 keeps it.
    """

    needs = ("score",)

    def __init__(self, sigma: float = 0.1, anneal_steps: int = 0):
        super().__init__()
        self.sigma, self.anneal_steps = sigma, anneal_steps

    def transform_input(self, forward: Forward, images: tf.Tensor, purpose: str) -> tf.Tensor:
        return images + self._sigma(forward) * forward.random.normal(f"instance_noise/{purpose}", images.shape)

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        return {"discriminator/instance_noise": self._sigma(forward)}

    def _sigma(self, forward: Forward) -> tf.Tensor:
        return decayed(self.sigma, self.anneal_steps, forward.step)
