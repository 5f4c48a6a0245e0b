"""Frechet distance between two Gaussians fitted to features (Heusel et al., 2017): FID when Inception made them.

A covariance is kept as a root R with R'R = S: then tr (S1 S2)^1/2 is the sum of the singular values of R1 R2'. With
fewer samples than features the centred features are such a root, and nothing is lost by squaring; otherwise it is a
Cholesky factor with pivots, which leaves directions without variance out.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from tfdfm import arrays


class Statistics(NamedTuple):
    mean: np.ndarray  # [D]
    root: np.ndarray  # [R, D], root' root = covariance (divided by N - 1)


def statistics(features: np.ndarray) -> Statistics:
    """Mean and covariance of [N, D], N >= 2. Reads memory-mapped features block by block.

    Raises:
        ValueError: fewer than two samples, numbers that are not finite.
    """
    features = arrays.check_features(features)
    count, width = features.shape
    mean = features.mean(axis=0, dtype=np.float64)
    if count <= width:
        return Statistics(mean, (features - mean) / np.sqrt(count - 1))
    covariance = np.zeros((width, width))
    for block in arrays.blocks(count):
        centred = features[block] - mean
        covariance += centred.T @ centred
    return from_moments(mean, covariance / (count - 1))


def from_moments(mean: np.ndarray, covariance: np.ndarray) -> Statistics:
    """From a mean [D] and a covariance [D, D], such as published ones.

    Raises:
        ValueError: other shapes, numbers that are not finite, not symmetric.
    """
    mean, covariance = np.asarray(mean, np.float64), np.asarray(covariance, np.float64)
    if mean.ndim != 1 or covariance.shape != 2 * mean.shape:
        shapes = f"{list(mean.shape)} and {list(covariance.shape)}"
        raise ValueError(f"Expected a mean [D] and a covariance [D, D]. Received {shapes}. Give those of one data set.")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all() and np.allclose(covariance, covariance.T)):
        raise ValueError("Expected a finite mean and a finite symmetric covariance. Received others. Make them again.")
    return Statistics(mean, _root(covariance))


def frechet_distance(one: Statistics, other: Statistics) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2), in the square of the features' unit.

    Raises:
        ValueError: statistics of different numbers of features.
    """
    if one.mean.shape != other.mean.shape:
        sizes = f"{len(one.mean):,} and {len(other.mean):,}"
        raise ValueError(f"Expected as many features in both. Received {sizes}. Use one classifier for both.")
    product = one.root @ other.root.T
    shared = np.linalg.svd(product, compute_uv=False).sum() if product.size else 0.0
    spread = np.sum(one.root**2) + np.sum(other.root**2) - 2 * shared
    return max(float(np.sum((one.mean - other.mean) ** 2) + spread), 0.0)


def _root(covariance: np.ndarray) -> np.ndarray:
    """[R, D] of rank R: the transposed Cholesky factor with pivots."""
    factor, pivots, rank, _ = lapack.dpstrf(covariance, lower=1)
    root = np.empty((rank, len(covariance)))
    root[:, pivots - 1] = np.tril(factor)[:, :rank].T
    return root
