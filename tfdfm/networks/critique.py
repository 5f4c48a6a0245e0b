"""What a discriminator says of a batch."""

from typing import NamedTuple

import tensorflow as tf


class Critique(NamedTuple):
    """None where the discriminator has no such answer. All float32."""

    score: tf.Tensor  # [B]      logit, critic value or energy
    features: tf.Tensor | None = None  # [B, F]   Phi(x), after the ReLU
    class_logits: tf.Tensor | None = None  # [B, C]
    reconstruction: tf.Tensor | None = None  # [B, H, W, C]
    activations: tf.Tensor | None = None  # [B, h, w, M]  of an inner layer, before its nonlinearity
