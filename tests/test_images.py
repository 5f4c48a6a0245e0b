import numpy as np
import pytest
import tensorflow as tf

from tfdfm import images
from tfdfm.errors import Failure


def test_to_uint8_rounds_clips_and_inverts_the_scaling():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(images.to_uint8(levels / np.float32(127.5) - 1), levels)
    np.testing.assert_array_equal(
        images.to_uint8(np.array([-9.0, -1.0, -0.997, 0.99, 1.0, 9.0])), [0, 0, 0, 254, 255, 255]
    )


@pytest.mark.parametrize("n, columns, rows", [(1, 1, 1), (2, 2, 1), (5, 3, 2), (16, 4, 4), (17, 5, 4)])
def test_grid_holds_every_image_in_reading_order(n, columns, rows):
    pictures = np.random.default_rng(0).integers(0, 256, (n, 3, 4, 3), np.uint8)
    whole = images.grid(pictures)
    assert whole.shape == (rows * 4 - 1, columns * 5 - 1, 3) and whole.dtype == np.uint8
    for i, picture in enumerate(pictures):
        top, left = i // columns * 4, i % columns * 5
        np.testing.assert_array_equal(whole[top : top + 3, left : left + 4], picture)


def test_grid_takes_columns_and_refuses_nothing():
    assert images.grid(np.zeros((6, 2, 2, 1), np.uint8), columns=6).shape == (2, 17, 1)
    with pytest.raises(ValueError, match=r"at least one image.*\(0, 2, 2, 1\)"):
        images.grid(np.zeros((0, 2, 2, 1), np.uint8))


@pytest.mark.parametrize("channels", [1, 3])
def test_png_round_trip_leaves_one_file(tmp_path, channels):
    picture = np.random.default_rng(1).integers(0, 256, (5, 7, channels), np.uint8)
    path = tmp_path / "new" / "a.png"
    images.write_png(path, picture)
    np.testing.assert_array_equal(tf.io.decode_png(path.read_bytes()), picture)
    assert list(path.parent.iterdir()) == [path]


def test_png_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="^Cannot write .*a.png: (File exists|Not a directory).*$"):
        images.write_png(tmp_path / "file" / "a.png", np.zeros((2, 2, 1), np.uint8))
