"""Batches as a function of (seed, step, position): any step is reached in O(1), on any number of replicas."""

import numpy as np
import tensorflow as tf

from tfdfm.data.classes import Rows
from tfdfm.data.loading import Images
from tfdfm.errors import UsageError
from tfdfm.random import key

_ROUNDS = 8  # of the index cipher: four leave a trace of the order in small sets


def indices(count: int, batch_size: int, seed: int, step: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """Which images stand at `positions` [B] of the batch of `step`: int64 [B]. Each epoch is one permutation.

    The key is drawn from (seed, epoch) by Philox: index_shuffle's own keys are 32 bits wide, and neighbouring ones give
    skewed permutations (with keys (5, epoch) a position's counts over 50 images had chi-squared 500 instead of 49).
    """
    steps_per_epoch = count // batch_size
    epoch, step = step // steps_per_epoch, step % steps_per_epoch
    key = tf.random.stateless_uniform(
        [3], tf.stack([tf.constant(seed, tf.int64), epoch]), None, None, tf.int32, "philox"
    )
    return tf.raw_ops.RandomIndexShuffle(
        index=step * batch_size + positions, seed=key, max_index=tf.constant(count - 1, tf.int64), rounds=_ROUNDS
    )


def check_batch_size(images: Images, batch_size: int, replicas: int = 1) -> None:
    """Raises UsageError for a batch that is larger than the set or does not divide by the replicas."""
    if not 1 <= batch_size <= len(images.pixels):
        raise UsageError(
            f"Expected batch_size to be at least 1 and at most the {len(images.pixels)} images, given {batch_size}."
        )
    if batch_size % replicas:
        raise UsageError(
            f"batch_size must be a multiple of the {replicas} replicas, given {batch_size}: "
            f"take {batch_size // replicas * replicas or replicas} or another number of devices."
        )


def batches(
    images: Images,
    *,
    batch_size: int,
    first_step: int,
    last_step: int,
    seed: int,
    replicas: int = 1,
    local_replicas: range = range(1),
    n_critic: int = 1,
    labelled_rows: np.ndarray | None = None,
    supervised: bool = False,
) -> tf.data.Dataset:
    """For each step in [first_step, last_step) and each of `local_replicas`, that replica's share of the global batch.

    Elements are {"images": uint8 [b, H, W, C], "labels": int32 [b]} with b = batch_size / replicas; no "labels" when
    the set has none. `batch_size` is global. A step takes n_critic batches: b is so many times as large. Raises
    UsageError for a batch that is too large or does not divide.

    Where only the images `labelled_rows` keep their labels, others have -1. `supervised` adds "labelled_images" and
    "labelled_labels": as many of them, in an order of their own.
    """
    check_batch_size(images, batch_size, replicas)
    share, local = batch_size // replicas, len(local_replicas)
    arrays = _arrays(images, labelled_rows)

    def element(number: tf.Tensor) -> dict[str, tf.Tensor]:
        step = number // local
        replica = local_replicas.start + number % local * local_replicas.step
        positions = replica * share + tf.range(share, dtype=tf.int64)
        steps = [step * n_critic + critic_step for critic_step in range(n_critic)]
        found = _gathered(arrays, _rows(len(images.pixels), batch_size, seed, steps, positions))
        if supervised:
            rows = _rows(len(labelled_rows), batch_size, key(seed, "labelled") % 2**63, steps, positions)
            own = _gathered(arrays, tf.gather(labelled_rows, rows))
            found |= {f"labelled_{name}": value for name, value in own.items()}
        return found

    numbers = tf.data.Dataset.range(first_step * local, last_step * local)
    return numbers.map(element, num_parallel_calls=2, deterministic=True).prefetch(4 * local)


def _arrays(images: Images, labelled_rows: np.ndarray | None) -> dict[str, np.ndarray]:
    pixels, labels = images.pixels, images.labels
    if not isinstance(pixels, Rows):
        pixels = np.asarray(pixels)  # a plain view of the map: rows are copied, no more
    if labelled_rows is not None:
        labels = np.full_like(images.labels, -1)
        labels[labelled_rows] = images.labels[labelled_rows]
    return {"images": pixels} if labels is None else {"images": pixels, "labels": labels}


def _rows(count: int, batch_size: int, seed: int, steps: list[tf.Tensor], positions: tf.Tensor) -> tf.Tensor:
    """int64 [b]: the images at `positions` of the batches of `steps`, one batch after the other."""
    return tf.concat([indices(count, batch_size, seed, step, positions) for step in steps], 0)


def _gathered(arrays: dict[str, np.ndarray], rows: tf.Tensor) -> dict[str, tf.Tensor]:
    """The rows [b] of each array."""
    types = [array.dtype for array in arrays.values()]
    taken = tf.numpy_function(lambda index: [array[index] for array in arrays.values()], [rows], types, False)
    return {
        name: tf.ensure_shape(value, [*rows.shape, *array.shape[1:]])
        for (name, array), value in zip(arrays.items(), taken, strict=True)
    }
