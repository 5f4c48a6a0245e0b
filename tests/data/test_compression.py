"""JPEG's mark: seen on compressed photographs, not on the same ones before, nor on what has no busy colour blocks."""

import commands
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_sample_image

from tfdfm import cli, train
from tfdfm.data import compression


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """uint8 [30, 32, 32, 3]: two photographs in tiles, rescaled, so that their own JPEG is gone."""
    tiles = []
    for name in ("china.jpg", "flower.jpg"):
        small = tf.image.resize(load_sample_image(name)[:416, :640], [104, 160], "area").numpy()
        tiles.append(small[:96].reshape(3, 32, 5, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3))
    return np.uint8(np.concatenate(tiles))


def compressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    return np.stack([tf.io.decode_jpeg(tf.io.encode_jpeg(image, quality=quality)).numpy() for image in pixels])


def test_compressed_photographs_are_known(photographs):
    before, after = compression.near_zero(photographs), compression.near_zero(compressed(photographs, 75))
    assert before < 0.7 and after > 0.95
    assert compression.warning("these", photographs) is None
    assert "these was compressed: 97 %" in compression.warning("these", compressed(photographs, 75))


def test_what_shows_nothing_is_no_cause_to_warn(photographs):
    grey = np.full([4, 32, 32, 3], 128, np.uint8)
    assert [compression.near_zero(each) for each in (grey, photographs[..., :1], photographs[:, :4, :4])] == [None] * 3


@pytest.mark.parametrize("quality", [75, None])
def test_a_run_says_so_when_it_starts(photographs, quality, tmp_path, caplog):
    pixels = (
        np.tile(photographs, [2, 1, 1, 1]) if quality is None else np.tile(compressed(photographs, 75), [2, 1, 1, 1])
    )
    (tmp_path / "images").mkdir()
    for number, image in enumerate(pixels):
        (tmp_path / "images" / f"{number}.png").write_bytes(tf.io.encode_png(image).numpy())
    flags = commands.flags(dataset=f"folder:{tmp_path / 'images'}", image_size=32, steps=1, jit="off", batch_size=8)
    train.main(cli.parse(["", *flags, f"--run_dir={tmp_path / 'run'}"], train.define, ""))
    assert ("was compressed" in caplog.text) == (quality is not None)
