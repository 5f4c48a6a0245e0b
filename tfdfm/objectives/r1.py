"""The zero-centred gradient penalty on data, R1 (Mescheder, Geiger & Nowozin, ICML 2018, eq. 9)."""

import tensorflow as tf

from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward
from tfdfm.objectives.gradient_penalty import squared_gradient_norm


class R1(Objective):
    """gamma / 2 |grad_x D(x)|^2 at images of the data, through whatever the terms do to what D sees.

    Lazily (Karras et al., StyleGAN2, CVPR 2020, appendix B) every k-th step alone, k times as heavy. They also change
    Adam's rates for it; here they stay.

    Args:
        gamma: the penalty's weight, doubled (Mescheder et al.: 10; for pixels in [-1, 1] and D's logit).
        every: k; 1: at each step.
    """

    needs = ("score",)
    full_precision = per_example_gradients = ("discriminator",)

    def __init__(self, gamma: float = 10.0, every: int = 1):
        super().__init__()
        self.gamma, self.every = gamma, every

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {"r1": self._penalty(forward, forward.images, "data", forward.labels)}

    def _penalty(self, forward: Forward, images: tf.Tensor, purpose: str, labels: tf.Tensor | None) -> tf.Tensor:
        """[B], at images [B, H, W, C] that D is shown as those of the same purpose are elsewhere in the update."""

        def slope() -> tf.Tensor:
            return squared_gradient_norm(
                lambda x: forward.discriminate(x, purpose, None, labels=labels).score, tf.stop_gradient(images)
            )

        if self.every == 1:
            return 0.5 * self.gamma * slope()
        now = tf.equal(forward.step % self.every, 0)
        return 0.5 * self.gamma * self.every * tf.cond(now, slope, lambda: tf.zeros([images.shape[0]]))
