"""Random numbers that are a pure function of what they are for: nothing is hidden, nothing is kept.

In training of (seed, purpose, step, position in the global batch), by Philox-4x32-10; for users of (seed, place in the
row), by Threefry-2x32-20 in plain operations (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
Philox's integer bits are the same in graph, XLA and eager mode, on any device and for any number of replicas; floats
are made of them here because TensorFlow's own stateless floats differ between XLA and graph mode.
"""

import hashlib
import math

import numpy as np
import tensorflow as tf

PHILOX = 1
WORDS = 4  # 32-bit words that one value of Philox's counter gives
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)  # of Threefry, and its parity
PARITY = 0x1BD11BDA


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


class Noise:
    """The random numbers of one call of a network in training; a call without one is free of noise.

    Each draw is named by the call's purpose and its place in the call, so that it is the same in every trace.

    Args:
        random: of this replica and step.
        purpose: of the call, "data" or "samples" say.
    """

    def __init__(self, random: Random, purpose: str):
        self._random, self._purpose, self._draws = random, purpose, 0

    def dropout(self, x: tf.Tensor, rate: float) -> tf.Tensor:
        """Zeros a share `rate` of the units and scales up the others (Srivastava et al., 2014).  [B, ...]"""
        keep = self._random.uniform(self._next(), x.shape) >= rate
        return tf.where(keep, x / tf.cast(1.0 - rate, x.dtype), tf.zeros([], x.dtype))

    def gaussian(self, x: tf.Tensor, deviation: float) -> tf.Tensor:
        """x + N(0, deviation^2).  [B, ...]"""
        return x + tf.cast(deviation * self._random.normal(self._next(), x.shape), x.dtype)

    def _next(self) -> str:
        self._draws += 1
        return f"noise/{self._purpose}/{self._draws}"


def unit(bits: tf.Tensor) -> tf.Tensor:
    """uint32 -> float32 in [0, 1): the top 23 bits, times 2^-23."""
    return tf.cast(tf.bitwise.right_shift(bits, 9), tf.float32) * 2.0**-23


def threefry(key: tuple[tf.Tensor, tf.Tensor], counter: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """uint32 words of shapes that broadcast -> two uint32 words, 20 rounds."""
    xor = tf.bitwise.bitwise_xor
    keys = (*key, xor(xor(*key), tf.constant(PARITY, tf.uint32)))
    x, y = counter[0] + keys[0], counter[1] + keys[1]
    for turn in range(5):
        for rotation in ROTATIONS[4 * (turn % 2) :][:4]:
            x = x + y
            y = xor(_rotated(y, rotation), x)
        x = x + keys[(turn + 1) % 3]
        y = y + (keys[(turn + 2) % 3] + tf.constant(turn + 1, tf.uint32))
    return x, y


def _rotated(word: tf.Tensor, by: int) -> tf.Tensor:
    return tf.bitwise.bitwise_or(
        tf.bitwise.left_shift(word, tf.constant(by, tf.uint32)),
        tf.bitwise.right_shift(word, tf.constant(32 - by, tf.uint32)),
    )


def seed_bits(seed: tf.Tensor, width: int, purpose: int) -> tf.Tensor:
    """int64 [B] -> uint32 [B, width]. A wider row begins differently: its halves are the words of each block.

    This and what is made of it take no bits for another type's, which ONNX cannot.
    """
    seed = seed[:, None]
    low = tf.cast(seed, tf.uint32)
    high = tf.cast(tf.truncatediv(seed - tf.cast(low, tf.int64), tf.constant(1 << 32, tf.int64)), tf.uint32)
    blocks = tf.constant(np.arange(-(-width // 2), dtype=np.uint32)[None])  # [1, width / 2]
    found = threefry((low, high), (blocks, tf.constant([[purpose]], tf.uint32)))
    return tf.concat(found, axis=1)[:, :width]
