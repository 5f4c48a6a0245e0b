"""The images that keep their labels where most lose them (semi-supervised learning)."""

import numpy as np

from tfdfm.data.loading import Images
from tfdfm.errors import UsageError
from tfdfm.random import key


def labelled_rows(images: Images, count: int, seed: int) -> np.ndarray:
    """Ascending int64 [count]: as many images of each class, a function of the seed.

    Raises:
        UsageError: no such number of each class.
    """
    classes = len(images.class_names)
    each, rest = divmod(count, classes) if classes else (0, 1)
    few = min(np.bincount(images.labels, minlength=classes)) if classes else 0
    if rest or each > few:
        raise UsageError(
            f"Expected num_labelled to be a multiple of the {classes} classes, at most {few} images of each, given"
            f" {count}. Set --config.num_labelled."
        )
    order = np.random.default_rng(key(seed, "labelled")).permutation(len(images.labels))
    places = [order[images.labels[order] == label][:each] for label in range(classes)]
    return np.sort(np.concatenate(places))
