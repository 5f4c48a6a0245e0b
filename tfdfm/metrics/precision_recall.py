"""Improved precision and recall (Kynkaanniemi et al., 2019); density and coverage (Naeem et al., 2020)."""

from typing import NamedTuple

import numpy as np

from tfdfm import arrays

SAME = 1e-13  # squared distance, as a share of the squared lengths, that float64 cannot tell from none
ROUNDING = 1 + 1e-9
NEIGHBOURS = {"precision": 3, "recall": 3, "density": 5, "coverage": 5}  # the papers'


class Manifolds(NamedTuple):
    precision: float  # share of fake samples inside the real manifold
    recall: float  # share of real samples inside the fake manifold
    density: float  # balls of real samples that a fake sample is inside of, over their k neighbours: 1 of real samples
    coverage: float  # share of real samples whose ball has a fake sample inside


def manifolds(
    real: np.ndarray,
    fake: np.ndarray,
    neighbours: int = NEIGHBOURS["precision"],
    of_density: int = NEIGHBOURS["density"],
) -> Manifolds:
    """A manifold is the union of balls around its samples, each reaching the sample's k-th nearest other sample.

    A real sample alone in a wide ball makes all that is near it precise; density counts the balls instead of asking
    for one, and coverage asks for every real ball, so that neither believes an outlier.

    Args:
        real, fake: features [N, D] and [M, D], more than `neighbours` and `of_density` samples each. Precision's paper
            has 50,000 of each, of VGG-16; numbers of different N and M do not compare.
        neighbours: k of precision and recall.
        of_density: k of density and coverage.

    Raises:
        ValueError: too few samples, numbers that are not finite, different numbers of features.
    """
    real, fake = arrays.check_pair(real, fake, max(neighbours, of_density) + 1)
    reach_real, reach_density = _reach(real, neighbours, of_density)
    (reach_fake,) = _reach(fake, neighbours)
    in_real, in_fake = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    inside, covered = 0, np.zeros(len(real), bool)
    for rows in arrays.blocks(len(real)):
        for columns in arrays.blocks(len(fake)):
            squares = _squares(real[rows], fake[columns])
            in_real[columns] |= (squares <= reach_real[rows, None]).any(axis=0)
            in_fake[rows] |= (squares <= reach_fake[columns]).any(axis=1)
            near = squares <= reach_density[rows, None]
            inside += np.count_nonzero(near)
            covered[rows] |= near.any(axis=1)
    density = inside / (of_density * len(fake))
    return Manifolds(float(in_real.mean()), float(in_fake.mean()), density, float(covered.mean()))


def _reach(x: np.ndarray, *neighbours: int) -> list[np.ndarray]:
    """[N] squared distance to the k-th nearest other sample, for each k; each pair of blocks is compared once."""
    nearest = np.full((len(x), max(neighbours) + 1), np.inf)  # each sample's own 0 is among them
    for rows in arrays.blocks(len(x)):
        for columns in arrays.blocks(rows.stop):
            squares = _squares(x[rows], x[columns])
            nearest[rows] = _smallest(nearest[rows], squares)
            if rows != columns:
                nearest[columns] = _smallest(nearest[columns], squares.T)
    nearest.sort(axis=1)
    return [nearest[:, k] * ROUNDING for k in neighbours]


def _smallest(known: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """The K smallest of each row of known [B, K] and squares [B, M]."""
    last = known.shape[1] - 1
    return np.partition(np.concatenate([known, squares], axis=1), last, axis=1)[:, : last + 1]


def _squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distances [N, M] of all pairs."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    lengths = np.einsum("nd,nd->n", x, x)[:, None] + np.einsum("nd,nd->n", y, y)
    squares = lengths - 2 * (x @ y.T)
    squares[squares <= SAME * lengths] = 0
    return squares
