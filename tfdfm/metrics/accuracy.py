"""Whether samples look like the class they were asked for, at several resolutions (AC-GAN, sections 4.1 and 4.3)."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdfm.metrics import checks
from tfdfm.metrics.similarity import Similarity

BATCH = 256


class Accuracy(NamedTuple):
    value: float  # share of samples that the classifier puts in their class
    classes: np.ndarray  # int64 [C], those there are, ascending
    values: np.ndarray  # float64 [C], the share in each class


class Joint(NamedTuple):
    """How discriminable and how diverse each class is (figure 6)."""

    classes: np.ndarray  # int64 [C]
    accuracy: np.ndarray  # float64 [C]
    similarity: np.ndarray  # float64 [C]
    correlation: float | None  # Pearson's, None where one of the two does not vary


def accuracy_by_resolution(
    images: np.ndarray, labels: np.ndarray, sizes: Iterable[int], classify: Callable[[np.ndarray], np.ndarray]
) -> dict[int, Accuracy]:
    """{size: accuracy of the images shrunk to size x size and grown back}; their own size leaves them as they are.

    Args:
        images: uint8 [N, H, W, C].
        labels: the classes they were asked for, integers [N].
        sizes: in pixels, none above the images' own.
        classify: float32 [B, H, W, C] in [0, 255] -> logits [B, classes].

    Raises:
        ValueError: other shapes or types, a size out of range, logits that are not finite.
    """
    images = checks.images(images)
    labels = checks.labels(labels, len(images))
    return {size: _accuracy(images, labels, size, classify) for size in sizes}


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 [N, H, W, C] -> float32 in [0, 255]: shrunk to size x size and grown back, bilinear, not antialiased."""
    images = checks.images(images)
    shape = images.shape[1:3]
    if not 1 <= size <= min(shape):
        raise ValueError(
            f"Expected a size from 1 to {min(shape)} pixels, the images'. Received {size}. Choose another."
        )
    if shape == (size, size):
        return images.astype(np.float32)
    return tf.image.resize(tf.image.resize(images, [size, size]), shape).numpy()


def joint(accuracy: Accuracy, similarity: Similarity) -> Joint:
    """Accuracy beside MS-SSIM, class by class.

    Raises:
        ValueError: the two are of different classes.
    """
    if not np.array_equal(accuracy.classes, similarity.classes):
        given = f"{accuracy.classes.tolist()} and {similarity.classes.tolist()}"
        raise ValueError(f"Expected both of the same classes. Received {given}. Score the same samples.")
    varies = np.ptp(accuracy.values) and np.ptp(similarity.values)
    correlation = float(np.corrcoef(accuracy.values, similarity.values)[0, 1]) if varies else None
    return Joint(accuracy.classes, accuracy.values, similarity.values, correlation)


def _accuracy(images: np.ndarray, labels: np.ndarray, size: int, classify: Callable) -> Accuracy:
    logits = np.concatenate([classify(resized(images[block], size)) for block in checks.blocks(len(images), BATCH)])
    right = checks.features(logits, "logits", 1).argmax(axis=1) == labels
    classes = np.unique(labels)
    if classes[-1] >= logits.shape[1]:
        given = f"label {classes[-1]} and {logits.shape[1]:,} classes"
        raise ValueError(f"Expected a classifier that knows every label. Received {given}. Take another classifier.")
    return Accuracy(float(right.mean()), classes, np.array([right[labels == label].mean() for label in classes]))
