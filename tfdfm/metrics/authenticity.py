"""Authenticity: how few samples are copies of training data (Alaa et al., ICML 2022, section 3.3)."""

from typing import NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors

from tfdfm import arrays


class Authenticity(NamedTuple):
    value: float  # share of authentic samples: near 0 for copies, about half for fresh data
    rows: np.ndarray  # int64 [N], the nearest real sample of each
    distances: np.ndarray  # float64 [N], to it
    reaches: np.ndarray  # float64 [N], from that one to the real one nearest to it


def authenticity(real: np.ndarray, fake: np.ndarray) -> Authenticity:
    """A sample is authentic if it is farther from the nearest real one than the real ones are from each other there.

    Args:
        real: features [M, D] of what a generator learnt from.
        fake: features [N, D] of its samples.

    Raises:
        ValueError: too few samples, numbers that are not finite, different numbers of features.
    """
    real, fake = arrays.check_pair(real, fake)
    search = NearestNeighbors(algorithm="brute").fit(real)
    distances, rows = (found[:, 0] for found in search.kneighbors(fake, 1))
    needed, places = np.unique(rows, return_inverse=True)
    reaches = search.kneighbors(real[needed], 2)[0][:, 1][places]  # the first is the real sample itself
    return Authenticity(float(np.mean(distances > reaches)), rows, distances, reaches)
