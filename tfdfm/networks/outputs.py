"""The output of a discriminator."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class DiscriminatorOutput(NamedTuple):
    """Of a batch, all float32; None where the discriminator has no such output."""

    score: tf.Tensor  # [B]      logit, critic value or energy; [B, K] of a D that judges an image K times
    features: tf.Tensor | None = None  # [B, F]   Phi(x), after the ReLU
    class_logits: tf.Tensor | None = None  # [B, C]
    reconstruction: tf.Tensor | None = None  # [B, H, W, C]
    normalised: tuple[tf.Tensor, ...] | None = None  # each convolution's [B, h, w, M], before its nonlinearity
    activations: tuple[tf.Tensor, ...] | None = None  # the same after it; Phi's last


def of_reconstruction(
    images: tf.Tensor, code: tf.Tensor, reconstruction: tf.Tensor, energy: Callable[[tf.Tensor], tf.Tensor]
) -> DiscriminatorOutput:
    """An autoencoder's: the score is the `energy` [B] of its error [B, H, W, C], the features are the code [B, F]."""
    images = tf.cast(images, tf.float32)
    reconstruction = tf.reshape(tf.cast(reconstruction, tf.float32), tf.shape(images))
    return DiscriminatorOutput(
        energy(reconstruction - images), tf.cast(code, tf.float32), reconstruction=reconstruction
    )
