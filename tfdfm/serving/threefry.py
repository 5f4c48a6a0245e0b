"""Latents that are a pure function of a seed, in plain TensorFlow operations over the whole batch.

Threefry-2x32-20 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3): the seed is the
key, the place in the row the counter. Whatever comes after it is exact in IEEE arithmetic, so a row is bit for bit the
same in any batch, process and server; TensorFlow's logarithm and cosine are not (their last bit depends on the place).
"""

import statistics

import numpy as np
import tensorflow as tf

from tfdfm.random import unit

LATENTS, LABELS = 0, 1  # the counter's second word
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = 0x1BD11BDA
_OCTAVES, _PARTS = 32, 4  # of (0, 1], in which the normal quantile is a cubic


def threefry(key: tuple[tf.Tensor, tf.Tensor], counter: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """uint32 words of shapes that broadcast -> two uint32 words, 20 rounds."""
    xor = tf.bitwise.bitwise_xor
    keys = (*key, xor(xor(*key), tf.constant(_PARITY, tf.uint32)))
    x, y = counter[0] + keys[0], counter[1] + keys[1]
    for turn in range(5):
        for rotation in _ROTATIONS[4 * (turn % 2) :][:4]:
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


def bits(seed: tf.Tensor, width: int, purpose: int) -> tf.Tensor:
    """int64 [B] -> uint32 [B, width]. A wider row begins differently: its halves are the words of each block."""
    words = tf.bitcast(seed, tf.uint32)  # [B, 2], the low one first
    blocks = tf.constant(np.arange(-(-width // 2), dtype=np.uint32)[None])  # [1, width / 2]
    found = threefry((words[:, :1], words[:, 1:]), (blocks, tf.constant([[purpose]], tf.uint32)))
    return tf.concat(found, axis=1)[:, :width]


def latents(seed: tf.Tensor, width: int, prior: str) -> tf.Tensor:
    """int64 [B] -> float32 [B, width], uniform in [-1, 1) or ~ N(0, 1)."""
    drawn = bits(seed, width, LATENTS)
    return normal(drawn) if prior == "normal" else unit(drawn) * 2.0 - 1.0


def labels(seed: tf.Tensor, num_classes: int) -> tf.Tensor:
    """int64 [B] -> int64 [B] in [0, num_classes), each as likely as the others to 2^-32."""
    drawn = tf.cast(bits(seed, 1, LABELS)[:, 0], tf.int64)
    return tf.bitwise.right_shift(drawn * num_classes, tf.constant(32, tf.int64))


def normal(drawn: tf.Tensor) -> tf.Tensor:
    """uint32 -> float32 ~ N(0, 1), |z| < 6.4: the sign, and the quantile of the other 31 bits.

    A float's exponent and first two mantissa bits name a quarter of an octave, its other bits the place in it; there
    the quantile is a cubic through four of its points, right to 3e-6.
    """
    tail = tf.bitwise.right_shift(tf.bitwise.left_shift(drawn, 1), 1)  # 31 bits
    tail = (tf.cast(tf.bitcast(tail, tf.int32), tf.float32) + 0.5) * 2.0**-31  # P(|Z| > |z|), in (0, 1]
    pattern = tf.bitcast(tail, tf.int32)
    row = tf.bitwise.right_shift(pattern, 21) - ((127 - _OCTAVES) << 2)
    place = tf.cast(tf.bitwise.bitwise_and(pattern, (1 << 21) - 1), tf.float32) * 2.0**-21
    a, b, c, d = (tf.gather(column, row) for column in _cubics().T)
    magnitude = ((d * place + c) * place + b) * place + a
    sign = tf.bitwise.bitwise_and(drawn, tf.constant(1 << 31, tf.uint32))
    return tf.bitcast(tf.bitwise.bitwise_xor(tf.bitcast(magnitude, tf.uint32), sign), tf.float32)


def _cubics() -> np.ndarray:
    """float32 [rows, 4], coefficients by rising power; the last row is the quantile of 1 itself, zero."""
    quantile = statistics.NormalDist().inv_cdf
    points = (1 - np.cos(np.pi * (np.arange(4) + 0.5) / 4)) / 2  # Chebyshev's in [0, 1]
    powers = np.linalg.inv(np.vander(points, increasing=True))
    rows = np.zeros([_OCTAVES * _PARTS + 1, 4], np.float32)
    for row in range(_OCTAVES * _PARTS):
        octave, part = divmod(row, _PARTS)
        tails = 2.0 ** (octave - _OCTAVES) * (1 + (part + points) / _PARTS)
        rows[row] = powers @ [-quantile(tail / 2) for tail in tails]
    return rows
