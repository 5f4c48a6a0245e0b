"""Random numbers that are a pure function of (seed, purpose, step, position in the global batch).

Philox-4x32-10 integer bits are the same in graph, XLA and eager mode, on any device and for any number of replicas;
floats are made of them here because TensorFlow's own stateless floats differ between XLA and graph mode. Nothing is
hidden, nothing is kept.
"""

import hashlib
import math

import tensorflow as tf

PHILOX = 1
WORDS = 4  # 32-bit words that one value of Philox's counter gives


def key(seed: int, purpose: str) -> int:
    """A 64-bit key for one stream: initial weights, latents, corruption, ..."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "little")


class Random:
    """The random numbers of one replica in one step.

    Args:
        seed: the run's seed.
        step: int64 scalar, finished steps.
        position: int64 scalar, place of this replica's first example in the global batch.
    """

    def __init__(self, seed: int, step: tf.Tensor, position: tf.Tensor):
        self._seed = seed
        self._step = tf.cast(step, tf.uint64)
        self._position = tf.cast(position, tf.uint64)

    def _bits(self, purpose: str, batch: int, width: int) -> tf.Tensor:
        """uint32 [batch, width], width a multiple of 4: rows of the global batch's numbers."""
        counter = tf.stack([self._position * tf.constant(width // WORDS, tf.uint64), self._step])
        stream = tf.constant([key(self._seed, purpose)], tf.uint64)
        return tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=[batch, width], key=stream, counter=counter, alg=PHILOX, dtype=tf.uint32
        )

    def uniform(self, purpose: str, shape: list[int]) -> tf.Tensor:
        """float32 in [0, 1), multiples of 2^-23. `shape` starts with the replica's batch."""
        batch, size = shape[0], math.prod(shape[1:])
        bits = self._bits(purpose, batch, -(-size // WORDS) * WORDS)[:, :size]
        return tf.reshape(unit(bits), shape)

    def normal(self, purpose: str, shape: list[int]) -> tf.Tensor:
        """float32 ~ N(0, 1) by Box and Muller's transform. `shape` starts with the replica's batch."""
        batch, size = shape[0], math.prod(shape[1:])
        first, second = tf.split(unit(self._bits(purpose, batch, -(-size // WORDS) * WORDS)), 2, axis=1)
        radius = tf.sqrt(-2.0 * tf.math.log(1.0 - first))
        angle = 2.0 * math.pi * second
        numbers = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=1)
        return tf.reshape(numbers[:, :size], shape)


def unit(bits: tf.Tensor) -> tf.Tensor:
    """uint32 -> float32 in [0, 1): the top 23 bits as the mantissa of a number in [1, 2)."""
    one = tf.constant(0x3F800000, tf.uint32)
    return tf.bitcast(tf.bitwise.bitwise_or(tf.bitwise.right_shift(bits, 9), one), tf.float32) - 1.0
