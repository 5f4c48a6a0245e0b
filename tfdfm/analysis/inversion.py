"""Latents whose images are nearest to given ones, by gradient descent through any generator."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfdfm.images import from_uint8

STARTS, STEPS, RATE = 4, 300, 0.05
_INSIDE = 0.999  # of (-1, 1), where tanh's inverse is finite


def invert(
    generator: Callable[..., tf.Tensor], images: np.ndarray, starts: np.ndarray, prior: str, labels: np.ndarray | None
) -> np.ndarray:
    """float32 [N, Z]: the latents that Adam finds from the best of several starts, by the mean square of pixels.

    Args:
        generator: float32 [B, Z] (, labels=int [B]) -> images [B, H, W, C] in [-1, 1].
        images: uint8 [N, H, W, C].
        starts: float32 [N, S, Z], from the prior.
        prior: "uniform": latents stay in [-1, 1], by a tanh; "normal": they are free.
        labels: integers [N], or None.
    """
    count, each, width = starts.shape
    flat = starts.reshape(-1, width)
    free = tf.Variable(np.arctanh(np.clip(flat, -_INSIDE, _INSIDE)) if prior == "uniform" else flat)
    target = tf.repeat(from_uint8(images), each, axis=0)
    asked = None if labels is None else tf.constant(np.repeat(labels, each), tf.int32)
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build([free])

    def found():
        return tf.tanh(free) if prior == "uniform" else free.value()

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            errors = tf.reduce_mean(tf.square(generator(found(), labels=asked) - target), axis=[1, 2, 3])
            loss = tf.reduce_sum(errors)
        optimizer.apply([tape.gradient(loss, free)])
        return errors

    for _ in range(STEPS):
        step()
    best = tf.reshape(step(), [count, each]).numpy().argmin(axis=1)
    return found().numpy().reshape(count, each, width)[np.arange(count), best]
