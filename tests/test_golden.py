"""What no machine, no version and no number of replicas may change: numbers of seeds, to the bit."""

import hashlib

import numpy as np
import tensorflow as tf

from tfdfm import data, latents

SEEDS = tf.range(-100, 100, dtype=tf.int64)


def digest(*arrays) -> str:
    found = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        found.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()[:16]


def made_up(count: int = 1797) -> data.Images:
    pixels = (np.arange(count * 4 * 4, dtype=np.int64) * 7919 % 256).astype(np.uint8).reshape(count, 4, 4, 1)
    labels = (np.arange(count) % 10).astype(np.int32)
    return data.Images("made up", "made up", pixels, labels, tuple(map(str, range(10))))


def test_latents_and_labels_of_seeds():
    assert digest(latents.from_seeds(SEEDS, 16, "uniform")) == "cd7b160f60d83854"
    assert digest(latents.from_seeds(SEEDS, 16, "normal")) == "d66fbe5cea3a4229"
    assert digest(latents.labels_from_seeds(SEEDS, 10)) == "4e015ebe8f36413f"


def test_batches_of_a_seed():
    found = list(data.batches(made_up(), batch_size=64, first_step=50, last_step=60, seed=7))
    assert digest(*(batch[key] for batch in found for key in ("images", "labels"))) == "9d1f996b3bd0c22e"


def test_which_images_keep_their_label():
    assert digest(data.labelled_rows(made_up(), 100, 7).astype(np.int64)) == "725544246134c740"
