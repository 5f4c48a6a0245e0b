import made_up
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from tfdfm.metrics import nearest_neighbours
from tfdfm.metrics.nearest_neighbours import nearest


@pytest.mark.parametrize("size", [1, 1000, 1 << 18])
def test_it_is_the_reference_for_blocks_of_any_size(monkeypatch, size):
    monkeypatch.setattr(nearest_neighbours, "BYTES", size)
    samples, training = made_up.images(7, 8), made_up.images(150, 8, seed=1)
    distances = cdist(samples.reshape(7, -1), training.reshape(150, -1), "cityblock")
    found = nearest(samples, training)
    np.testing.assert_array_equal(found.rows, distances.argmin(axis=1))
    np.testing.assert_array_equal(found.distances, distances.min(axis=1))


def test_a_copied_image_is_found_in_a_memory_map(tmp_path):
    training = made_up.images(500, 8)
    np.save(tmp_path / "images.npy", training)
    found = nearest(training[[400, 3]], np.load(tmp_path / "images.npy", mmap_mode="r"))
    assert found.rows.tolist() == [400, 3] and found.distances.tolist() == [0, 0]


def test_the_first_of_several_as_near_and_the_largest_distance():
    black, white = np.zeros((1, 64, 64, 3), np.uint8), np.full((300, 64, 64, 3), 255, np.uint8)
    found = nearest(black, white)
    assert found.rows.tolist() == [0] and found.distances.tolist() == [255 * 64 * 64 * 3]
    assert nearest(white[:1], white[:1] - np.uint8(1)).distances.tolist() == [64 * 64 * 3]


@pytest.mark.parametrize(
    ("samples", "training", "message"),
    [
        (made_up.images(3), made_up.images(3, 32), r"Received \[16, 16, 3\] and \[32, 32, 3\]. Resize"),
        (made_up.images(3), made_up.images(3)[:0], "training images as uint8"),
        (made_up.images(3).astype(np.float32), made_up.images(3), "samples as uint8 .* Received float32"),
    ],
)
def test_wrong_images_are_errors(samples, training, message):
    with pytest.raises(ValueError, match=message):
        nearest(samples, training)
