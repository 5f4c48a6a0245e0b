import os
import subprocess
import sys

import numpy as np
import pytest

from tfdfm import cache
from tfdfm.data import describe, image_files, load
from tfdfm.errors import Failure, UsageError
from tfdfm.images import write_png


def test_digits_are_the_real_ones_enlarged(tmp_path):
    images = load("digits", cache_dir=str(tmp_path))
    assert images.pixels.shape == (1797, 16, 16, 1)
    assert images.pixels.dtype == np.uint8
    assert images.class_names == tuple("0123456789")
    assert images.labels.dtype == np.int32
    assert images.source.startswith("scikit-learn")
    from sklearn.datasets import load_digits

    real = load_digits()
    np.testing.assert_array_equal(images.labels, real.target)
    shrunk = images.pixels.reshape(-1, 8, 2, 8, 2).mean(axis=(2, 4)) / 255 * 16
    assert np.corrcoef(shrunk.ravel(), real.images.ravel())[0, 1] > 0.99
    assert images.pixels.max() == 255


def test_digits_at_other_sizes(tmp_path):
    assert load("digits", image_size=32, cache_dir=str(tmp_path)).pixels.shape == (1797, 32, 32, 1)
    raw = load("digits", image_size=8, cache_dir=str(tmp_path)).pixels
    assert set(np.unique(raw)) == {round(level * 255 / 16) for level in range(17)}
    assert describe("digits") == (16, 1, 10)
    assert describe("digits", 32) == (32, 1, 10)


def test_every_image_is_looked_at_once(tmp_path, monkeypatch):
    """For size and colours; a file that keeps them and is damaged is made again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number in range(3):
        write_png(tmp_path / "images" / f"{number}.png", np.full((20, 24, 1), number, np.uint8))
    looked, name = [], f"folder:{tmp_path / 'images'}"
    monkeypatch.setattr(
        image_files, "header", lambda file, old=image_files.header: looked.append(file.name) or old(file)
    )
    for _ in range(2):
        assert describe(name) == (16, 1, None) and load(name).pixels.shape == (3, 16, 16, 1)
    assert len(looked) == 3
    (kept,) = (tmp_path / "cache" / "tfdfm").glob("layout-*.json")
    whole = kept.read_text()
    for damaged in (whole.replace("16", "96"), whole[:9], "[]", "3", "[16, 1, 5]"):
        kept.write_text(damaged)
        assert describe(name) == (16, 1, None) and kept.read_text() == whole
    write_png(tmp_path / "images" / "1.png", np.zeros((40, 40, 3), np.uint8))
    assert describe(name) == (16, 3, None)


def test_digits_import_no_tfds(tmp_path, python):
    code = (
        "import json, sys; from tfdfm.data import load, describe, batches; describe('imagenet32')\n"
        "images = load('digits', cache_dir=sys.argv[1])\n"
        "next(iter(batches(images, batch_size=64, first_step=0, last_step=1, seed=0)))\n"
        "print(json.dumps('tensorflow_datasets' in sys.modules))"
    )
    assert python(code, tmp_path) is False


def test_the_named_sets_are_described_without_data():
    assert describe("stl10") == (48, 3, None)
    assert describe("mnist") == (32, 1, 10)
    assert describe("imagenet32") == (32, 3, 1000)
    assert describe("celeb_a", 32) == (32, 3, None)


def test_the_cache_lies_under_xdg_cache_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load("digits", image_size=8)
    (file,) = (tmp_path / "tfdfm").glob("*.tfdfm")
    stamp = file.stat().st_mtime_ns
    load("digits", image_size=8)
    assert file.stat().st_mtime_ns == stamp
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(Failure, match=file.name):
        load("digits", image_size=8)
    file.unlink()
    assert len(load("digits", image_size=8).pixels) == 1797


def test_a_cache_in_a_read_only_folder_is_used(tmp_path, monkeypatch):
    load("digits", image_size=8, cache_dir=str(tmp_path))

    monkeypatch.setattr(cache, "FileLock", None)
    assert len(load("digits", image_size=8, cache_dir=str(tmp_path)).pixels) == 1797


def test_a_cache_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Failure, match="Cannot write the cache") as error:
        load("digits", cache_dir=str(tmp_path / "file" / "cache"))
    assert "XDG_CACHE_HOME" in str(error.value)
    assert "\n" not in str(error.value)


def test_sets_without_test_images_say_so():
    with pytest.raises(UsageError, match="digits has no test images. Leave out :test"):
        load("digits", split="test")


@pytest.mark.parametrize("size", [0, -3, 5000])
def test_impossible_sizes(size, tmp_path):
    with pytest.raises(UsageError, match=f"between 1 and 4096 pixels, given {size}"):
        load("digits", image_size=size, cache_dir=str(tmp_path))


def test_two_processes_prepare_at_once(tmp_path):
    code = (
        "import sys; from absl import logging; logging.set_verbosity('info'); from tfdfm.data import load\n"
        "print(int(load('digits', cache_dir=sys.argv[1]).pixels.sum()))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as one, subprocess.Popen(command, **pipes) as two:
        results = [one.communicate(), two.communicate()]
    assert results[0][0] == results[1][0] != ""
    assert sum("Preparing" in errors for _, errors in results) == 1
    assert sorted(os.path.splitext(name)[1] for name in os.listdir(tmp_path)) == [".json", ".lock", ".tfdfm"]
