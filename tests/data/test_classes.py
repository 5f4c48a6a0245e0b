"""Some classes alone: which images a model sees, and under which labels."""

import numpy as np
import pytest

from tfdfm.data import Images, batches, of_classes


@pytest.fixture
def images() -> Images:
    """40 images of 6 classes; image i is filled with i. The first has no label."""
    labels = (np.arange(40) % 6).astype(np.int32)
    labels[0] = -1
    pixels = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones([1, 2, 2, 1], np.uint8)
    return Images("numbered", "made up", pixels, labels, tuple("abcdef"))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_group_has_the_images_of_its_classes_and_labels_from_0(images, number):
    found = of_classes(images, range(2 * number, 2 * number + 2))
    expected = np.flatnonzero(images.labels // 2 == number)
    np.testing.assert_array_equal(found.pixels[:], images.pixels[expected])
    np.testing.assert_array_equal(found.labels, images.labels[expected] - 2 * number)
    assert found.labels.dtype == np.int32 and found.class_names == tuple("abcdef"[2 * number :][:2])
    assert found.pixels.shape == (len(expected), 2, 2, 1) and found.pixels.dtype == np.uint8


def test_every_labelled_image_is_in_one_group(images):
    rows = np.concatenate([of_classes(images, range(number, number + 1)).pixels[:][:, 0, 0, 0] for number in range(6)])
    np.testing.assert_array_equal(np.sort(rows), np.arange(1, 40))


def test_the_images_are_read_when_they_are_asked_for(images):
    found = of_classes(images, range(2, 4))
    images.pixels[:] = 200
    assert (found.pixels[np.array([1, 2])] == 200).all() and len(found.pixels[2:5]) == 3


def test_a_batch_is_of_the_groups_images_with_their_labels(images):
    found = of_classes(images, range(3, 6))
    shown = list(batches(found, batch_size=6, first_step=0, last_step=6, seed=0))
    rows, labels = (np.concatenate([batch[name].numpy() for batch in shown]) for name in ("images", "labels"))
    assert rows.shape == (36, 2, 2, 1) and len(np.unique(rows)) > 15
    np.testing.assert_array_equal(images.labels[rows[:, 0, 0, 0]] - 3, labels)
