"""Few labels: which images keep theirs, and the batches of them."""

import numpy as np
import pytest

from tfdfm.data import Images, batches, labelled_rows
from tfdfm.errors import UsageError


def images(count: int = 40, classes: int = 4) -> Images:
    labels = (np.arange(count) // 2 % classes).astype(np.int32)
    pixels = np.arange(count, dtype=np.uint8)[:, None, None, None]
    return Images("numbered", "made up", pixels, labels, tuple("abcd"[:classes]))


def test_each_class_keeps_as_many_labels_and_the_seed_chooses():
    found = images()
    kept = labelled_rows(found, 12, seed=1)
    np.testing.assert_array_equal(np.bincount(found.labels[kept]), [3, 3, 3, 3])
    assert list(kept) == sorted(set(kept)) == list(labelled_rows(found, 12, seed=1))
    assert list(kept) != list(labelled_rows(found, 12, seed=2))


@pytest.mark.parametrize("count", [10, 44])
def test_a_number_that_the_classes_cannot_share_is_an_error(count):
    with pytest.raises(UsageError, match="multiple of the 4 classes, at most 10 images of each, given"):
        labelled_rows(images(), count, seed=0)


def test_other_images_lose_their_labels_and_none_is_left_out():
    found, kept = images(), labelled_rows(images(), 8, seed=0)
    seen = {}
    for batch in batches(found, batch_size=8, first_step=0, last_step=5, seed=0, labelled_rows=kept):
        seen |= dict(zip(batch["images"].numpy().ravel(), batch["labels"].numpy(), strict=True))
    assert seen == {row: found.labels[row] if row in kept else -1 for row in range(40)}


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_supervised_batch_has_labelled_images_in_an_order_of_its_own(replicas):
    found, kept = images(), labelled_rows(images(), 16, seed=0)
    how = dict(batch_size=8, last_step=6, seed=0, labelled_rows=kept, supervised=True)
    every = list(batches(found, first_step=0, replicas=replicas, local_replicas=range(replicas), **how))
    rows = np.reshape([batch["labelled_images"].numpy().ravel() for batch in every], [6, 8])
    labels = np.reshape([batch["labelled_labels"].numpy() for batch in every], [6, 8])
    np.testing.assert_array_equal(labels, found.labels[rows])
    for epoch in np.reshape(rows, [3, 16]):
        assert sorted(epoch) == list(kept)
    (alone,) = batches(found, first_step=4, **(how | {"last_step": 5}))
    np.testing.assert_array_equal(alone["labelled_images"].numpy().ravel(), rows[4])
