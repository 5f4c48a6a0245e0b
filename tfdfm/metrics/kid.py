"""Kernel distance (Binkowski et al., 2018): KID when Inception made the features."""

import numpy as np

from tfdfm import arrays
from tfdfm.metrics.inception_score import Score


def kernel_distance(
    real: np.ndarray,
    fake: np.ndarray,
    subsets: int = 100,
    size: int = 1000,
    seed: int = 0,
    keys: tuple[np.ndarray, np.ndarray] | None = None,
) -> Score:
    """Unbiased squared maximum mean discrepancy of random subsets: mean and standard deviation. May be negative.

    Args:
        real, fake: [N, D] and [M, D].
        subsets, size: how many pairs of subsets, and of how many samples each, drawn without replacement.
        seed: of the draws.
        keys: what tells the real and the fake samples apart, as in `inception_score`. The features by default.

    Raises:
        ValueError: fewer samples than `size`, numbers that are not finite, different numbers of features.
    """
    real, fake = arrays.check_pair(real, fake, max(size, 2))
    random = np.random.default_rng(seed)
    orders = [arrays.shuffled(samples, seed) for samples in keys or (real, fake)]
    distances = []
    for _ in range(subsets):
        one, other = (random.choice(of, size, replace=False) for of in orders)
        distances.append(_discrepancy(real[one].astype(np.float64), fake[other].astype(np.float64)))
    return Score(float(np.mean(distances)), float(np.std(distances)))


def squared_discrepancy(real: np.ndarray, fake: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy of all samples under (x'y / D + 1)^3, block by block."""
    return _discrepancy(*arrays.check_pair(real, fake))


def _discrepancy(real: np.ndarray, fake: np.ndarray) -> float:
    return _inside(real) + _inside(fake) - 2 * _between(real, fake) / (len(real) * len(fake))


def _inside(x: np.ndarray) -> float:
    """Mean kernel of two different samples."""
    lengths = np.einsum("nd,nd->n", x, x, dtype=np.float64)
    return (_between(x, x) - _kernel_sum(lengths, x.shape[1])) / (len(x) * (len(x) - 1))


def _between(x: np.ndarray, y: np.ndarray) -> float:
    """Sum of the kernel over all pairs; the product of a block with itself costs half."""
    total = 0.0
    for rows in arrays.blocks(len(x)):
        left = x[rows].astype(np.float64, copy=False)
        for columns in arrays.blocks(len(y)):
            right = left if x is y and rows == columns else y[columns].astype(np.float64, copy=False)
            total += _kernel_sum(left @ right.T, x.shape[1])
    return total


def _kernel_sum(products: np.ndarray, width: int) -> float:
    """Of products x'y, which it overwrites."""
    products /= width
    products += 1
    return float(np.vdot(products * products, products))
