"""Latents z: drawn in training, drawn from a user's seed, and the way from one to the next.

What a seed gives is exact in IEEE arithmetic, so that a row is bit for bit the same in any batch, process and server;
TensorFlow's logarithm and cosine are not (their last bit depends on the place).
"""

import statistics
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from scipy.special import ndtr, ndtri

from tfdfm.errors import UsageError
from tfdfm.random import Random, seed_bits, unit

PER_SEED = 1_000_000  # seeds of a model for each --seed of a command: image i of --seed=N is that of PER_SEED N + i
LATENTS, LABELS = 0, 1  # purposes of a seed's bits
_OCTAVES, _PARTS = 32, 4  # of (0, 1], in which the normal quantile is a cubic


def draw(random: Random, batch: int, width: int, prior: str) -> tf.Tensor:
    """float32 [batch, width], uniform in [-1, 1) or ~ N(0, 1): those of a training step."""
    if prior == "normal":
        return random.normal("latents", [batch, width])
    return random.uniform("latents", [batch, width]) * 2.0 - 1.0


def from_seeds(seeds: tf.Tensor, width: int, prior: str) -> tf.Tensor:
    """int64 [B] -> float32 [B, width], uniform in [-1, 1) or ~ N(0, 1)."""
    drawn = seed_bits(seeds, width, LATENTS)
    return normal(drawn) if prior == "normal" else unit(drawn) * 2.0 - 1.0


def labels_from_seeds(seeds: tf.Tensor, num_classes: int) -> tf.Tensor:
    """int64 [B] -> int64 [B] in [0, num_classes), each as likely as the others to 2^-32."""
    drawn = tf.cast(seed_bits(seeds, 1, LABELS)[:, 0], tf.int64)
    return tf.truncatediv(drawn * num_classes, tf.constant(1 << 32, tf.int64))


def labels_in_turn(asked: Sequence[int] | None, count: int, num_classes: int) -> np.ndarray | None:
    """int64 [count]: the asked ones in turn, all classes in turn if none are; None for an unconditional model.

    Raises:
        UsageError: labels asked of an unconditional model, or out of range.
    """
    if not num_classes:
        if asked:
            raise UsageError("--labels given, but this model is unconditional. Leave it out.")
        return None
    for label in asked or []:
        if not 0 <= label < num_classes:
            raise UsageError(f"Expected --labels between 0 and {num_classes - 1}, given {label}.")
    return np.resize(np.asarray(asked or range(num_classes), np.int64), count)


def interpolate(ends: np.ndarray, steps: int, prior: str) -> np.ndarray:
    """Latents [R + 1, Z] -> [R, steps, Z], from each to the next: straight (uniform) or on the sphere (normal)."""
    a, b = ends[:-1, None], ends[1:, None]  # [R, 1, Z]
    t = np.linspace(0, 1, steps, dtype=np.float32)[None, :, None]
    if prior == "uniform":
        return (1 - t) * a + t * b
    cosine = (a * b).sum(-1, keepdims=True) / (
        np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    )
    angle = np.arccos(np.clip(cosine, -1 + 1e-6, 1 - 1e-6))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def truncated(latents: np.ndarray, prior: str, most: float) -> np.ndarray:
    """Latents of a normal prior -> float32 of the normal distribution cut off at +-`most` (Brock et al., 2019, section
    3.1): each is the value that has its own probability there, so that a seed's images with other bounds compare.

    Raises:
        UsageError: another prior, or a bound that is not above 0.
    """
    if prior != "normal":
        raise UsageError(f"--truncation is for a normal prior, and this model's is {prior}. Leave it out.")
    if not most > 0:
        raise UsageError(f"Expected --truncation above 0, given {most:g}.")
    below = ndtr(-np.abs(latents, dtype=np.float64))  # of the two tails the exact one
    cut = ndtr(-most)
    found = -ndtri(cut + below * (1 - 2 * cut))
    return np.copysign(np.minimum(found, most), latents).astype(np.float32)


def normal(drawn: tf.Tensor) -> tf.Tensor:
    """uint32 -> float32 ~ N(0, 1), |z| < 6.4: the sign, and the quantile of the other 31 bits.

    The octave and the quarter of it in which a probability lies name a cubic through four points of the quantile,
    right to 3e-6.
    """
    tail = tf.bitwise.right_shift(tf.bitwise.left_shift(drawn, 1), 1)  # 31 bits
    tail = (tf.cast(tail, tf.float32) + 0.5) * 2.0**-31  # P(|Z| > |z|), in (0, 1]
    starts = np.float32(2.0 ** np.arange(1 - _OCTAVES, 1))
    octave = tf.reduce_sum(tf.cast(tail[..., None] >= starts, tf.int32), axis=-1)  # 0: below 2^(1 - _OCTAVES)
    place = (tail * tf.gather(np.float32(2.0 ** np.arange(_OCTAVES, -1, -1)), octave) - 1.0) * _PARTS
    part = tf.floor(place)
    place -= part
    row = _PARTS * octave + tf.cast(part, tf.int32)
    a, b, c, d = (tf.gather(column, row) for column in _cubics().T)
    magnitude = ((d * place + c) * place + b) * place + a
    return magnitude * (1.0 - 2.0 * tf.cast(tf.bitwise.right_shift(drawn, 31), tf.float32))


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
