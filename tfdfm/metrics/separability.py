"""Linear separability of features: a discriminator's (Radford et al., 2016, section 5.1), an encoder's (ALI, 4.3)."""

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.svm import LinearSVC

from tfdfm import arrays
from tfdfm.arrays import LabelledImages

CELLS, BATCH = 4, 256
COSTS, FOLDS, CHOOSING = tuple(10.0**power for power in range(-3, 4)), 5, 1000


def separability(
    layers: Callable[[np.ndarray], Sequence[np.ndarray]],
    training: LabelledImages,
    held_out: LabelledImages,
    cost: float = 1.0,
    seed: int = 0,
) -> float:
    """Accuracy on held-out images of a linear SVM on the max-pooled activations of every layer.

    Args:
        layers: uint8 [B, H, W, C] -> activations of each convolution [B, h, w, maps].
        training, held_out: labelled images; 8 bytes an image and feature are needed for the training.
        cost: of a violated margin, with features divided by the largest of the training images.
        seed: of the SVM's order of the training images.

    Raises:
        ValueError: one class only, activations that are not finite, other shapes or types.
    """
    labels = arrays.check_labels(training.labels, len(training.images))
    expected = arrays.check_labels(held_out.labels, len(held_out.images))
    if len(np.unique(labels)) < 2:
        raise ValueError(
            f"Expected training labels of two classes or more. Received {np.unique(labels).tolist()} only."
        )
    rows = arrays.shuffled(arrays.check_images(training.images), seed)
    features, held_out_features = _features(layers, training.images[rows]), _features(layers, held_out.images)
    scale = np.abs(features).max() or 1.0
    features /= scale
    machine = _machine(seed).set_params(C=cost).fit(features, labels[rows])
    return float(np.mean(machine.predict(held_out_features / scale) == expected))


def best_cost(layers: Callable[[np.ndarray], Sequence[np.ndarray]], training: LabelledImages, seed: int = 0) -> float:
    """The cost of `COSTS` whose SVM is right most often in a five-fold cross-validation of 1,000 images at most.

    ALI takes the best one for 10,000 more images, whose labels would not be few.

    Args, Raises: as `separability`; fewer images of every class than folds.
    """
    labels = arrays.check_labels(training.labels, len(training.images))
    rows = arrays.shuffled(arrays.check_images(training.images), seed)[:CHOOSING]
    features = _features(layers, training.images[rows])
    left, scale, _ = np.linalg.svd(features / (np.abs(features).max() or 1.0), full_matrices=False)
    search = GridSearchCV(_machine(seed), {"C": COSTS}, cv=FOLDS)
    return search.fit(left * scale, labels[rows]).best_params_["C"]  # of rotated features an SVM says the same


def _machine(seed: int) -> LinearSVC:
    """Solved in the primal: at high costs the dual takes thousands of passes over as many features."""
    return LinearSVC(dual=False, random_state=seed, max_iter=10_000)


def pooled(activations: Sequence[np.ndarray]) -> np.ndarray:
    """[B, h, w, maps] of each layer -> float64 [B, F]: maxima of at most 4 x 4 cells, flattened."""
    return np.concatenate([_pooled(np.asarray(layer)) for layer in activations], axis=1)


def _pooled(layer: np.ndarray) -> np.ndarray:
    for axis in (1, 2):
        size = layer.shape[axis]
        layer = np.maximum.reduceat(layer, range(0, size, -(-size // CELLS)), axis)
    return layer.reshape(len(layer), -1).astype(np.float64)


def _features(layers: Callable, images: np.ndarray) -> np.ndarray:
    images = arrays.check_images(images)
    return arrays.check_features(
        np.concatenate([pooled(layers(images[b])) for b in arrays.blocks(len(images), BATCH)]), least=1
    )
