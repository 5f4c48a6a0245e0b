"""CMMD (Jayasumana et al., 2024): squared maximum mean discrepancy of CLIP's embeddings under a Gaussian kernel."""

import numpy as np

from tfdfm import arrays

SIGMA, SCALE = 10, 1000  # the paper's width of the kernel, and what the discrepancy is multiplied by


def cmmd(real: np.ndarray, fake: np.ndarray) -> float:
    """1000 times E k(x, x') + E k(y, y') - 2 E k(x, y), k(x, y) = exp(-|x - y|^2 / 2 sigma^2), of unit embeddings.

    The means are over all pairs, a sample with itself among them, as in the paper's code: Gretton et al.'s (2012,
    equation 5) estimator, never negative, and above their unbiased one by 20 (1/N + 1/M) at most.

    Args:
        real, fake: embeddings [N, D] and [M, D] of any length but 0; they are scaled to length 1.

    Raises:
        ValueError: fewer than two samples, numbers that are not finite, all zero, different numbers of features.
    """
    x, y = (_unit(values) for values in arrays.check_pair(real, fake))
    return SCALE * (_mean_kernel(x, x) + _mean_kernel(y, y) - 2 * _mean_kernel(x, y))


def _unit(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(f"Expected embeddings that are not 0. Received 0 in row {lengths.argmin()}. Leave it out.")
    return values / lengths


def _mean_kernel(x: np.ndarray, y: np.ndarray) -> float:
    """Of unit rows, |x - y|^2 = 2 - 2 x'y; less 1, lest the differences drown in it: they are of a thousandth."""
    total = 0.0
    for rows in arrays.blocks(len(x)):
        for columns in arrays.blocks(len(y)):
            total += np.expm1((x[rows] @ y[columns].T - 1) / SIGMA**2).sum()
    return total / (len(x) * len(y))
