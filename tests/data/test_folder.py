import os

import numpy as np
import pytest
from PIL import Image

from tfdfm.data import describe, load
from tfdfm.errors import Failure, UsageError


def _save(path, shape=(20, 24, 3), value=100, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(shape, value, np.uint8)
    Image.fromarray(pixels).save(path, **how)


@pytest.fixture
def read(tmp_path):
    return lambda **how: load(f"folder:{tmp_path / 'set'}", cache_dir=str(tmp_path / "cache"), **how)


def test_sub_folders_are_classes_in_order(tmp_path, read):
    for name, value in (("cat", 10), ("ant", 200), ("bee", 90)):
        for i in range(2):
            _save(tmp_path / "set" / name / "deeper" / f"{i}.png", value=value + i)
    (tmp_path / "set" / "empty").mkdir()
    (tmp_path / "set" / ".hidden").mkdir()
    images = read()
    assert images.class_names == ("ant", "bee", "cat")
    np.testing.assert_array_equal(images.labels, [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(images.pixels[:, 5, 5, 0], [200, 201, 90, 91, 10, 11])
    assert images.pixels.shape == (6, 16, 16, 3)
    assert images.source == f"folder {tmp_path / 'set'}"
    assert describe(images.name) == (16, 3, 3)
    assert describe(images.name, 48) == (48, 3, 3)


def test_direct_images_have_no_labels(tmp_path, read):
    _save(tmp_path / "set" / "a.png", (40, 33, 3))
    _save(tmp_path / "set" / "b.jpg", (64, 64, 3))
    (tmp_path / "set" / "notes.txt").write_text("not an image")
    images = read()
    assert images.labels is None
    assert images.class_names == ()
    assert images.pixels.shape == (2, 32, 32, 3)
    assert read(image_size=20).pixels.shape == (2, 20, 20, 3)


def test_gray_stays_gray_and_mixed_becomes_rgb(tmp_path, read):
    _save(tmp_path / "set" / "a.png", (16, 16), 50)
    Image.fromarray(np.full((16, 16), 50 * 256, np.uint16)).save(tmp_path / "set" / "b.png")
    Image.new("1", (16, 16), 1).save(tmp_path / "set" / "c.png")
    images = read()
    np.testing.assert_array_equal(images.pixels[:, 3, 3], [[50], [50], [255]])
    _save(tmp_path / "set" / "d.png", (16, 16, 3), 70)
    _save(tmp_path / "set" / "e.png", (16, 16, 4), 80)
    np.testing.assert_array_equal(read().pixels[:, 3, 3], [[v] * 3 for v in (50, 50, 255, 70, 80)])


def test_photographs_are_turned_upright(tmp_path, read):
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the first row belongs to the right
    (tmp_path / "set").mkdir()
    Image.fromarray(pixels).save(tmp_path / "set" / "a.png", exif=exif)
    image = read().pixels[0, :, :, 0]
    assert image[:, -1].min() == 255
    assert image[:, :-1].max() == 0


def test_a_changed_folder_is_prepared_anew(tmp_path, read):
    _save(tmp_path / "set" / "a.png", value=1)
    assert read().pixels[0, 0, 0, 0] == 1
    _save(tmp_path / "set" / "a.png", value=2)
    os.utime(tmp_path / "set" / "a.png", (1, 1))
    assert read().pixels[0, 0, 0, 0] == 2
    _save(tmp_path / "set" / "b.png", value=3)
    assert len(read().pixels) == 2


@pytest.mark.parametrize("damage", ["header", "middle"])
def test_a_broken_image_is_named(tmp_path, read, damage):
    _save(tmp_path / "set" / "a" / "good.png")
    broken = tmp_path / "set" / "a" / "broken.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(broken)
    broken.write_bytes(b"nothing" if damage == "header" else broken.read_bytes()[:1500])
    with pytest.raises(Failure, match="broken.png") as error:
        read()
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "cache").glob("*.t*"))


def test_folders_that_cannot_work(tmp_path, read):
    with pytest.raises(UsageError, match="a folder of images or a zip of one, given .*, which is neither"):
        read()
    (tmp_path / "set" / "a").mkdir(parents=True)
    with pytest.raises(UsageError, match="No images in"):
        read()
    _save(tmp_path / "set" / "a" / "a.png")
    _save(tmp_path / "set" / "b.png")
    with pytest.raises(UsageError, match="put every image into a class, or none"):
        read()
