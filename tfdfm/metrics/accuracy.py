"""Accuracy of samples as the class that they were asked for, at several resolutions (AC-GAN, sections 4.1 and 4.3)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tfdfm import arrays
from tfdfm.metrics.ms_ssim import Similarity

BATCH = 256
DISCRIMINABLE = 0.01  # accuracy of a class above which it counts as discriminable (AC-GAN, section 4.3)


class Accuracy(NamedTuple):
    """Shares, with the standard errors of a binomial."""

    value: float  # share of samples that the classifier puts in their class
    error: float
    labels: np.ndarray  # int64 [C], those there are, ascending
    values: np.ndarray  # float64 [C], the share in each class
    errors: np.ndarray  # float64 [C]


class Joint(NamedTuple):
    """How discriminable and how diverse the classes are (AC-GAN, section 4.3). Diverse is a class of a lower MS-SSIM
    than the data's least diverse one (0.25 in the paper); a share is None where there is no class to take it of."""

    correlation: float | None  # Pearson's, None where one of the two does not vary
    diverse: float  # share of the classes
    discriminable_of_diverse: float | None  # share of these
    discriminable_of_others: float | None


def accuracy(logits: np.ndarray, labels: np.ndarray) -> Accuracy:
    """Share of samples whose largest logit [N, classes] is that of their label [N].

    Raises:
        ValueError: logits that are not finite, a label that the classifier does not know.
    """
    logits = arrays.check_features(logits, "logits", 1)
    labels = arrays.check_labels(labels, len(logits))
    right, classes = logits.argmax(axis=1) == labels, np.unique(labels)
    if classes[-1] >= logits.shape[1]:
        given = f"label {classes[-1]} and {logits.shape[1]:,} classes"
        raise ValueError(f"Expected a classifier that knows every label. Received {given}. Take another classifier.")
    values = np.array([right[labels == label].mean() for label in classes])
    errors = np.sqrt(values * (1 - values) / [np.sum(labels == label) for label in classes])
    value = float(right.mean())
    return Accuracy(value, float(np.sqrt(value * (1 - value) / len(right))), classes, values, errors)


def accuracy_by_resolution(
    images: np.ndarray, labels: np.ndarray, sizes: Sequence[int], classify: Callable[[np.ndarray], np.ndarray]
) -> dict[int, Accuracy]:
    """{size: accuracy of the images shrunk to size x size and grown back}; their own size leaves them as they are.

    Args:
        images: uint8 [N, H, W, C], or what gives such images for a slice of rows; each is asked once.
        labels: the classes they were asked for, integers [N].
        sizes: in pixels, none above the images' own.
        classify: float32 [B, H, W, C] in [0, 255] -> logits [B, classes].

    Raises:
        ValueError: other shapes or types, a size out of range, logits that are not finite.
    """
    labels = arrays.check_labels(labels, len(images))
    logits = {size: [] for size in sizes}
    for block in arrays.blocks(len(images), BATCH):
        drawn = images[block]
        for size in sizes:
            logits[size].append(classify(resized(drawn, size)))
    return {size: accuracy(np.concatenate(of_size), labels) for size, of_size in logits.items()}


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 [N, H, W, C] -> float32 in [0, 255]: shrunk to size x size and grown back, bilinear, not antialiased."""
    images = arrays.check_images(images)
    shape = images.shape[1:3]
    if not 1 <= size <= min(shape):
        raise ValueError(
            f"Expected a size from 1 to {min(shape)} pixels, the images'. Received {size}. Choose another."
        )
    if shape == (size, size):
        return images.astype(np.float32)
    rows, columns = (_bilinear(size, side) @ _bilinear(side, size) for side in shape)
    return np.einsum("ih,jw,nhwc->nijc", rows, columns, images, optimize=True).astype(np.float32)


def _bilinear(side: int, to: int) -> np.ndarray:
    """[to, side]: the weights of a side's pixels in those of another size, which lie at the middle of their cells."""
    places = (np.arange(to) + 0.5) * side / to - 0.5
    low = np.floor(places).astype(int)
    weights = np.zeros([to, side])
    np.add.at(weights, (np.arange(to), np.maximum(low, 0)), 1 - (places - low))
    np.add.at(weights, (np.arange(to), np.minimum(low + 1, side - 1)), places - low)
    return weights


def joint(accurate: Accuracy, similar: Similarity, least_diverse: float) -> Joint:
    """Accuracy beside MS-SSIM, class by class.

    Args:
        least_diverse: the largest MS-SSIM of a class of the data.

    Raises:
        ValueError: the two are of different classes.
    """
    if not np.array_equal(accurate.labels, similar.labels):
        given = f"{accurate.labels.tolist()} and {similar.labels.tolist()}"
        raise ValueError(f"Expected both of the same classes. Received {given}. Score the same samples.")
    varies = np.ptp(accurate.values) and np.ptp(similar.values)
    correlation = float(np.corrcoef(accurate.values, similar.values)[0, 1]) if varies else None
    diverse, discriminable = similar.values < least_diverse, accurate.values > DISCRIMINABLE
    shares = [float(discriminable[of].mean()) if of.any() else None for of in (diverse, ~diverse)]
    return Joint(correlation, float(diverse.mean()), *shares)
