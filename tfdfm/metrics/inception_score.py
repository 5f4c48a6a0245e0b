"""Inception score (Salimans et al., 2016) and EBGAN's modified score (Zhao et al., 2017) of any classifier's logits."""

from typing import NamedTuple

import numpy as np

from tfdfm import arrays


class Score(NamedTuple):
    value: float
    spread: float  # standard deviation (not of the mean) over groups or subsets


class Moments(NamedTuple):
    """Means over a group of samples x."""

    marginal: np.ndarray  # [C]  p(y) = E p(y|x)
    log: np.ndarray  # [C]       E log p(y|x)
    negative_entropy: float  #   E sum_y p(y|x) log p(y|x)


def inception_score(logits: np.ndarray, splits: int = 10, seed: int = 0, keys: np.ndarray | None = None) -> Score:
    """exp(E KL(p(y|x) || p(y))) of each of `splits` groups: their mean and standard deviation.

    Args:
        logits: [N, C]; a group needs at least C samples, since no group of n scores above n.
        splits: groups of equal size, to one sample (DFM, section 5: ten groups of 5,000).
        seed: of the shuffle before the split.
        keys: [N, ...] what tells the samples apart, whose bytes decide the shuffle, such as their uint8 images: logits
            of one image may differ in their last bit between batches. The logits by default.

    Raises:
        ValueError: one class only, too few samples, numbers that are not finite.
    """
    logits = _logits(logits)
    if not (splits >= 1 and len(logits) // splits >= logits.shape[1]):
        least = f"splits >= 1 and at least {logits.shape[1]:,} samples (as many as classes) in each"
        raise ValueError(f"Expected {least}. Received {len(logits):,} samples in {splits} splits. Make more samples.")
    keys = logits if keys is None else keys
    if len(keys) != len(logits):
        raise ValueError(f"Expected {len(logits):,} keys, one a sample. Received {len(keys):,}. Give all or none.")
    groups = np.array_split(arrays.shuffled(keys, seed), splits)
    scores = [np.exp(_divergence(_moments(logits, group))) for group in groups]
    return Score(float(np.mean(scores)), float(np.std(scores)))


def modified_inception_score(logits: np.ndarray) -> float:
    """E KL(p(y) || p(y|x)) in nats over all samples: the pair swapped, no exponential (EBGAN, appendix C).

    Args:
        logits: [N, C], N >= C >= 2.
    """
    logits = _logits(logits)
    if len(logits) < logits.shape[1]:
        least = f"at least {logits.shape[1]:,} samples (as many as classes)"
        raise ValueError(f"Expected {least}. Received {len(logits):,}. Make more samples.")
    moments = _moments(logits, np.arange(len(logits)))
    return max(float(_xlogx(moments.marginal).sum() - moments.marginal @ moments.log), 0.0)


def _logits(logits: np.ndarray) -> np.ndarray:
    logits = arrays.check_features(logits, "logits")
    if logits.shape[1] < 2:
        raise ValueError("Expected logits of at least 2 classes. Received 1. Take another classifier.")
    return logits


def _divergence(moments: Moments) -> float:
    """E KL(p(y|x) || p(y)) = E sum p(y|x) log p(y|x) - sum p(y) log p(y)"""
    return max(moments.negative_entropy - _xlogx(moments.marginal).sum(), 0.0)


def _moments(logits: np.ndarray, rows: np.ndarray) -> Moments:
    classes = logits.shape[1]
    marginal, log, negative_entropy = np.zeros(classes), np.zeros(classes), 0.0
    for block in arrays.blocks(len(rows), 256):  # small enough for the cache
        x = logits[rows[block]].astype(np.float64)  # [B, C]
        x -= x.max(axis=1, keepdims=True)
        p = np.exp(x)
        total = p.sum(axis=1)  # [B]
        weights, logs = 1 / total, np.log(total)
        marginal += weights @ p
        log += x.sum(axis=0) - logs.sum()
        negative_entropy += np.einsum("b,bc,bc->", weights, p, x) - logs.sum()
    return Moments(marginal / len(rows), log / len(rows), negative_entropy / len(rows))


def _xlogx(p: np.ndarray) -> np.ndarray:
    """p log p, 0 at 0."""
    return p * np.log(np.where(p > 0, p, 1))
