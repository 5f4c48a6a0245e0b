"""Nearest neighbours of samples in the training set, by L1 distance of pixels (AC-GAN, section 4.5)."""

from typing import NamedTuple

import numpy as np

from tfdfm import arrays

BYTES = 1 << 18  # of the training images compared at a time: they stay in the cache for all samples


class Neighbours(NamedTuple):
    rows: np.ndarray  # int64 [N], places in the training set
    distances: np.ndarray  # int64 [N], sums of |difference| over the pixels, of 0..255


def nearest(samples: np.ndarray, training: np.ndarray) -> Neighbours:
    """The nearest training image of each sample; of several as near, the first.

    Args:
        samples: uint8 [N, H, W, C].
        training: uint8 [M, H, W, C], memory-mapped if large.

    Raises:
        ValueError: other types, or images of different sizes.
    """
    samples, training = arrays.check_images(samples, "samples"), arrays.check_images(training, "training images")
    if samples.shape[1:] != training.shape[1:]:
        shapes = f"{list(samples.shape[1:])} and {list(training.shape[1:])}"
        raise ValueError(f"Expected samples of the training images' size. Received {shapes}. Resize the samples.")
    samples, training = samples.reshape(len(samples), -1), training.reshape(len(training), -1)
    rows, distances = np.zeros(len(samples), np.int64), np.full(len(samples), np.iinfo(np.int64).max)
    for block in arrays.blocks(len(training), max(1, BYTES // training.shape[1])):
        found = _distances(samples, training[block])  # [N, B]
        best = found.argmin(axis=1)
        least = found[np.arange(len(samples)), best]
        nearer = least < distances
        rows[nearer], distances[nearer] = block.start + best[nearer], least[nearer]
    return Neighbours(rows, distances)


def _distances(samples: np.ndarray, training: np.ndarray) -> np.ndarray:
    """int64 [N, B]: sum |x - y| = sum x + sum y - 2 sum min(x, y), which stays in bytes."""
    least = np.stack([np.minimum(sample, training).sum(axis=1, dtype=np.uint32) for sample in samples])
    sums = (x.sum(axis=1, dtype=np.int64) for x in (samples, training))
    return next(sums)[:, None] + next(sums) - 2 * least.astype(np.int64)
