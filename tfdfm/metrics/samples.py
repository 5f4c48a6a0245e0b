"""Scores of samples, from what a classifier says of them: the functions that training and evaluation share."""

from typing import Protocol

import numpy as np

from tfdfm.metrics import fid
from tfdfm.metrics.inception_score import Score, inception_score
from tfdfm.metrics.ms_ssim import Similarity, class_similarity


class Described(Protocol):
    """Features of samples, such as `tfdfm.classifiers.features.Features`."""

    features: np.ndarray  # [N, F]
    logits: np.ndarray  # [N, C]
    keys: np.ndarray  # [N, ...] tells them apart


def inception(samples: Described, splits: int) -> Score:
    """Inception score of `splits` groups; training has one."""
    return inception_score(samples.logits, splits, keys=samples.keys)


def frechet(real: fid.Statistics, samples: Described) -> float:
    """Frechet distance of samples from the statistics of real images."""
    return fid.frechet_distance(real, fid.statistics(samples.features))


def similarity(images: np.ndarray, labels: np.ndarray | None, keys: np.ndarray, pairs: int) -> Similarity:
    """MS-SSIM of `pairs` pairs inside each class; of images without labels (None) of any two.

    Args:
        images: uint8 [N, H, W, C], or what gives such images for an array of rows.
        keys: [N, ...] tells the images apart.
    """
    labels = np.zeros(len(images), np.int64) if labels is None else labels
    return class_similarity(images, labels, pairs, keys=keys)
