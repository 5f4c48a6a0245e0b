"""MS-SSIM between images of one class: the higher, the less diverse (AC-GAN, section 4.2; Wang et al., 2003)."""

from typing import NamedTuple

import numpy as np

from tfdfm import arrays

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, from the finest
WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


class Similarity(NamedTuple):
    labels: np.ndarray  # int64 [C], those there are, ascending
    values: np.ndarray  # float64 [C], mean MS-SSIM of each class's pairs
    errors: np.ndarray  # float64 [C], standard errors of these means


def class_similarity(
    images: np.ndarray, labels: np.ndarray, pairs: int = 100, seed: int = 0, keys: np.ndarray | None = None
) -> Similarity:
    """Mean MS-SSIM of `pairs` random distinct pairs of different images inside each class.

    Args:
        images: uint8 [N, H, W, C], or what gives such images for an array of rows; only those of the pairs are asked.
        labels: integers [N]; all equal for images without classes.
        pairs: of each class.
        seed: of the choice of pairs.
        keys: [N, ...] what tells the images apart, as in `inception_score`. The images by default.

    Raises:
        ValueError: a class with too few images for so many distinct pairs; other shapes or types.
    """
    labels = arrays.check_labels(labels, len(images))
    keys = arrays.check_images(images) if keys is None else keys
    classes = np.unique(labels)
    values = []
    for label in classes:
        rows = np.flatnonzero(labels == label)
        if len(rows) * (len(rows) - 1) // 2 < pairs:
            given = f"{len(rows)} images of class {label}"
            raise ValueError(f"Expected enough images for {pairs} distinct pairs. Received {given}. Make more samples.")
        chosen = rows[arrays.shuffled(keys[rows], seed)][_pairs(len(rows), pairs, seed)]  # [2, pairs]
        needed, places = np.unique(chosen, return_inverse=True)
        drawn, (left, right) = images[needed], places.reshape(chosen.shape)
        blocks = arrays.blocks(pairs, 16)
        values.append(np.concatenate([ms_ssim(drawn[left[b]], drawn[right[b]]) for b in blocks]))
    values = np.stack(values)  # [C, pairs]
    return Similarity(classes, values.mean(axis=1), values.std(axis=1) / np.sqrt(pairs))


def ms_ssim(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Multi-scale structural similarity [N] of two uint8 [N, H, W, C], of any size.

    Equal to tf.image.ssim_multiscale(max_val=255) from 176 pixels on, where that function begins. Below, the window is
    clamped to the image at each scale and its sigma shrinks with it. Odd sides are extended symmetrically.
    """
    if left.shape != right.shape:
        shapes = f"{list(left.shape)} and {list(right.shape)}"
        raise ValueError(f"Expected two batches of images of one size. Received {shapes}. Resize one of them.")
    x, y = (np.moveaxis(arrays.check_images(z), 3, 1).astype(np.float64) for z in (left, right))  # [N, C, H, W]
    result = 1.0
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            x, y = _halved(x), _halved(y)
        luminance, contrast = _terms(x, y)
        term = luminance * contrast if scale == len(WEIGHTS) - 1 else contrast
        result = result * np.maximum(term.mean(axis=(2, 3)), 0) ** weight
    return result.mean(axis=1)


def _pairs(count: int, pairs: int, seed: int) -> np.ndarray:
    """[2, pairs] distinct pairs i < j of range(count): pair number j (j - 1) / 2 + i, drawn without replacement."""
    numbers = np.random.default_rng(seed).choice(count * (count - 1) // 2, pairs, replace=False)
    second = ((1 + np.sqrt(1 + 8 * numbers)) // 2).astype(np.int64)  # exact up to 10^7 images
    return np.stack([numbers - second * (second - 1) // 2, second])


def _terms(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luminance term, and contrast times structure, at every place of the window: [N, C, H', W'] each."""
    rows, columns = (_window(size) for size in x.shape[2:])
    mean_x, mean_y, product, squares = (rows @ z @ columns.T for z in (x, y, x * y, x * x + y * y))
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    contrast = (2 * (product - mean_x * mean_y) + C2) / (squares - mean_x**2 - mean_y**2 + C2)
    return luminance, contrast


def _window(size: int) -> np.ndarray:
    """[places, size] a Gaussian window in each row, as a matrix that slides it along one side."""
    width = min(WINDOW, size)
    sigma = SIGMA * width / WINDOW
    window = np.exp(-0.5 * ((np.arange(width) - (width - 1) / 2) / sigma) ** 2)
    slid = np.zeros((size - width + 1, size))
    for place, row in enumerate(slid):
        row[place : place + width] = window / window.sum()
    return slid


def _halved(x: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels of [N, C, H, W]."""
    height, width = x.shape[2:]
    x = np.pad(x, [(0, 0), (0, 0), (0, height % 2), (0, width % 2)], mode="symmetric")
    return x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).mean(axis=(3, 5))
