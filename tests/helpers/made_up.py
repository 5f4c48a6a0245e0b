"""Features with a decaying spectrum, logits, images and tensorflow-gan's functions on them."""

import functools
import warnings

import numpy as np
import tfgan


def features(count, width, seed=0, shift=0.0, scale=1.0):
    """float64 [N, D], correlated, of a spectrum like that of a network's features."""
    random = np.random.default_rng(seed)
    return scale * random.normal(size=(count, width)) * np.exp(-4 * np.arange(width) / width) @ _mixing(width) + shift


@functools.cache
def _mixing(width):
    return np.random.default_rng(width).normal(size=(width, width)) / np.sqrt(width)


def logits(count, classes, seed=0, scale=3.0):
    return scale * np.random.default_rng(seed).normal(size=(count, classes))


def images(count, side=16, channels=3, seed=0):
    """uint8, smooth enough to be alike at some scales."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, -(-side // 4), -(-side // 4), channels))
    fine = random.integers(-30, 31, (count, side, side, channels))
    return np.clip(np.kron(coarse, np.ones((1, 4, 4, 1)))[:, :side, :side] + fine, 0, 255).astype(np.uint8)


def oracle(function, *args, **kwargs):
    """tensorflow-gan's function of classifier_metrics; what it imports warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(getattr(tfgan.module("classifier_metrics"), function)(*args, **kwargs))
