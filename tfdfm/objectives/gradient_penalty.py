"""The gradient penalty of WGAN-GP (Gulrajani et al., 2017; thesis section 2.3)."""

from collections.abc import Callable

import tensorflow as tf

from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward


class GradientPenalty(Objective):
    """lambda (|grad_x f(x^)| - 1)^2 at points x^ between images of data and samples, evenly distributed on the line.

    The thesis's eq. 10 drops the square. The critic computes in float32 whatever the recipe's precision, and has no
    batch norm: each example's gradient is its own.

    Args:
        weight: lambda (paper: 10).
    """

    needs = ("score",)
    full_precision = per_example_gradients = ("discriminator",)

    def __init__(self, weight: float = 10.0):
        super().__init__()
        self.weight = weight

    def discriminator_loss(self, forward: Forward) -> Losses:
        place = forward.random.uniform("penalty", [forward.images.shape[0], 1, 1, 1])
        between = forward.images + place * (tf.stop_gradient(forward.generated) - forward.images)  # [B, H, W, C]
        norm = gradient_norm(lambda x: forward.discriminate(x, "penalty", None, labels=forward.labels).score, between)
        return {"gradient_penalty": self.weight * tf.square(norm - 1.0)}


def gradient_norm(function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """|grad_x f(x)| of each example, [B, ...] -> [B]; its own gradient is finite at 0."""
    return tf.sqrt(squared_gradient_norm(function, x) + 1e-12)


def squared_gradient_norm(function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """|grad_x f(x)|^2 of each example, [B, ...] -> [B]."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = function(x)
    gradient = tf.reshape(tape.gradient(score, x), [x.shape[0], -1])
    return tf.reduce_sum(tf.square(gradient), axis=1)
