"""A zip, tar shards and a set of Hugging Face's: the images that a folder of the same files gives."""

import io
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import commands
import datasets
import numpy as np
import pytest
from PIL import Image

from tfdfm import cli, train
from tfdfm.data import describe, load
from tfdfm.errors import Failure, UsageError
from tfdfm.evaluation import image_sets
from tfdfm.recipes import select


def png(value: int, shape=(20, 24, 3)) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full(shape, value, np.uint8)).save(file, "png")
    return file.getvalue()


CLASSES = {"cat/1.png": 10, "ant/deep/1.png": 200, "ant/2.png": 201, "bee/1.png": 90}


@pytest.fixture
def read(tmp_path):
    return lambda name, **how: load(name, cache_dir=str(tmp_path / "cache"), **how)


def zipped(path, files: dict, **how):
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return f"folder:{path}"


def shard(path, files: dict):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("around", ["", "photographs/"])
def test_a_zip_is_the_folder_in_it(around, tmp_path, read):
    files = {around + name: png(value) for name, value in CLASSES.items()}
    noise = {
        f"{around}ant/": b"",
        f"__MACOSX/{around}ant/._1.png": b"x",
        f"{around}.hidden/1.png": b"x",
        "notes.txt": b"x",
    }
    name = zipped(tmp_path / "a.zip", files | noise, compression=zipfile.ZIP_DEFLATED)
    found = read(name)
    for place, content in files.items():
        path = tmp_path / "folder" / place.removeprefix(around)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    other = read(f"folder:{tmp_path / 'folder'}")
    np.testing.assert_array_equal(found.pixels, other.pixels)
    np.testing.assert_array_equal(found.labels, other.labels)
    assert found.class_names == other.class_names == ("ant", "bee", "cat")
    assert describe(name) == (16, 3, 3) and found.source == f"zip {tmp_path / 'a.zip'}"
    assert select("digits", name)[0] == "digits-a.zip"


def test_a_zip_without_classes_that_changes_and_that_is_scored(tmp_path, read):
    name = zipped(tmp_path / "a.zip", {"one.png": png(1), "two.png": png(2)})
    assert read(name).labels is None and sorted(read(name).pixels[:, 0, 0, 0]) == [1, 2]
    zipped(tmp_path / "a.zip", {"one.png": png(3), "two.png": png(2)})
    assert sorted(read(name).pixels[:, 0, 0, 0]) == [2, 3]
    scored = image_sets.of_images(str(tmp_path / "a.zip"), None, None)
    assert scored.images[:2].shape == (2, 20, 20, 3) and scored.of["source"].startswith("zip ")


def test_zips_that_cannot_work(tmp_path, read):
    (tmp_path / "a.zip").write_bytes(b"PK nothing")
    with pytest.raises(Failure, match=r"Cannot read .*a.zip \(.*\): expected a zip of images"):
        read(f"folder:{tmp_path / 'a.zip'}")
    with pytest.raises(UsageError, match="No images in .*b.zip"):
        read(zipped(tmp_path / "b.zip", {"notes.txt": b"x"}))
    with pytest.raises(UsageError, match="put every image into a class, or none"):
        read(zipped(tmp_path / "c.zip", {"a.png": png(1), "b/b.png": png(1)}))
    with pytest.raises(Failure, match="Cannot read the image .*d.zip/a/b.png"):
        read(zipped(tmp_path / "d.zip", {"a/a.png": png(1), "a/b.png": b"nothing"}))
    with pytest.raises(UsageError, match="Expected a folder of images or a zip of one, given .*which is neither"):
        read(f"folder:{tmp_path / 'e.zip'}")


def test_shards_with_classes(tmp_path, read):
    shard(tmp_path / "s-000.tar", {"a.png": png(10), "a.cls": b"2", "b.png": png(20), "b.cls": b"0\n", "b.json": b"{}"})
    shard(tmp_path / "s-001.tar", {"a.cls": b"2", "a.PNG": png(30), "deep/c.d.png": png(40), "deep/c.d.cls": b"0"})
    for pattern in ("s-{000..001}.tar", "s-*.tar"):
        name = f"webdataset:{tmp_path}/{pattern}"
        found = read(name)
        assert found.class_names == ("0", "1", "2") and describe(name) == (16, 3, 3)
        assert sorted(zip(found.labels, found.pixels[:, 3, 3, 0], strict=True)) == [(0, 20), (0, 40), (2, 10), (2, 30)]
        assert not set("{}*?") & set(select(None, name)[0])
    assert len(read(f"webdataset:{tmp_path}/s-000.tar").pixels) == 2
    with pytest.raises(UsageError, match="has no test images"):
        read(name, split="test")


def test_shards_without_classes_that_change(tmp_path, read):
    shard(tmp_path / "a.tar", {"a.png": png(10), "b.jpg": png(20), "./._a.png": b"x"})
    name = f"webdataset:{tmp_path}/a.tar"
    assert read(name).labels is None and list(read(name).pixels[:, 0, 0, 0]) == [10, 20]
    shard(tmp_path / "a.tar", {"a.png": png(10), "b.jpg": png(20), "c.jpg": png(30)})
    assert list(read(name).pixels[:, 0, 0, 0]) == [10, 20, 30]


@pytest.mark.parametrize(
    ("files", "kind", "message"),
    [
        (None, UsageError, "Expected tar shards in .*, but there is no .*s-000.tar"),
        ({"a.txt": b"x"}, UsageError, "No images in"),
        ({"a.png": png(1), "a.cls": b"1", "b.png": png(1)}, Failure, "s-000.tar/b.png has no .cls beside it"),
        ({"a.png": png(1), "a.cls": b"cat"}, Failure, "number of a class in .*a.cls, found b'cat'"),
        ({"a.png": b"x", "a.cls": b"1"}, Failure, "Cannot read the image .*s-000.tar/a.png"),
        (b"no tar", Failure, "Cannot read .*s-000.tar .*expected an uncompressed tar"),
    ],
)
def test_shards_that_cannot_work(files, kind, message, tmp_path, read):
    path = tmp_path / "s-000.tar"
    if isinstance(files, dict):
        shard(path, files)
    elif files:
        path.write_bytes(files)
    with pytest.raises(kind, match=message):
        read(f"webdataset:{tmp_path}/s-{{000..000}}.tar")


def test_no_shards_at_all(tmp_path, read):
    with pytest.raises(UsageError, match="Expected tar shards in .*, found none"):
        read(f"webdataset:{tmp_path}/*.tar")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A folder in the Hub's form: train and test, images in class folders."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    for place, value in (("train/ant/1", 10), ("train/ant/2", 20), ("train/bee/1", 30), ("test/bee/3", 40)):
        path = tmp_path / "set" / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(value, (20, 24)))
    return f"huggingface:{tmp_path / 'set'}"


def test_a_set_of_hugging_faces(hub, read):
    found = read(hub)
    assert found.class_names == ("ant", "bee") and describe(hub) == (16, 1, 2)
    assert sorted(zip(found.labels, found.pixels[:, 3, 3, 0], strict=True)) == [(0, 10), (0, 20), (1, 30)]
    held_out = read(hub, split="test")
    assert list(held_out.pixels[:, 3, 3, 0]) == [40] and list(held_out.labels) == [1]
    assert select("digits", hub)[0] == "digits-set"


INFO = """---
dataset_info:
  features:
  - {{name: image, dtype: image}}
  - name: label
    dtype: {{class_label: {{names: {{'0': ant, '1': bee}}}}}}
  splits:
  - {{name: train, num_bytes: 1000, num_examples: {count}}}
  - {{name: test, num_bytes: 1000, num_examples: 1}}
  download_size: 5000
  dataset_size: 1000
---
"""


def broken(*args):
    raise RuntimeError("no network")
    yield


def test_a_set_of_hugging_faces_that_is_larger_than_the_disk_is_a_stream(hub, read, tmp_path, monkeypatch):
    kept, usage = read(hub), shutil.disk_usage
    shutil.rmtree(tmp_path / "hf")
    (tmp_path / "set" / "README.md").write_text(INFO.format(count=3))
    assert read(hub).source == kept.source and any((tmp_path / "hf").rglob("*.arrow"))  # there is room
    shutil.rmtree(tmp_path / "hf")

    def scarce(place):
        return usage(place)._replace(free=5500) if Path(place) in (tmp_path, tmp_path / "hf") else usage(place)

    monkeypatch.setattr(shutil, "disk_usage", scarce)
    found = read(hub)
    assert not any((tmp_path / "hf").rglob("*.arrow"))
    assert np.array_equal(found.pixels, kept.pixels) and np.array_equal(found.labels, kept.labels)
    assert found.class_names == kept.class_names and describe(hub) == (16, 1, 2)
    (tmp_path / "set" / "README.md").write_text(INFO.format(count=5))
    with monkeypatch.context() as away, pytest.raises(Failure, match="Cannot load huggingface:.*: no network."):
        away.setattr(datasets.IterableDataset, "__iter__", broken)
        read(hub)
    (tmp_path / "set" / "README.md").write_text(INFO.format(count=4))
    with pytest.raises(Failure, match="Expected 4 images in huggingface .*, found 3"):
        read(hub)


def test_a_set_of_hugging_faces_that_cannot_work(tmp_path, hub, read, monkeypatch):
    with pytest.raises((Failure, UsageError), match="huggingface:nobody/nothing") as error:
        read("huggingface:nobody/nothing")
    assert "\n" not in str(error.value)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(UsageError, match="Expected a column of images .*given x, y"):
        read(f"huggingface:{tmp_path / 'text'}")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match=r"pip install 'tfdfm\[huggingface\]'"):
        read(hub)


def test_training_takes_them(tmp_path, monkeypatch):
    """One step: its recipe, classes and cache by a name with a scheme."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shard(
        tmp_path / "a.tar",
        {f"{i}.{end}": png(i) if end == "png" else b"%d" % (i % 2) for i in range(16) for end in ("png", "cls")},
    )
    flags = commands.flags(steps=1, conditional=True, terms="nonsaturating")
    arguments = [*flags, "--config=custom", f"--dataset=webdataset:{tmp_path}/a.tar", f"--run_dir={tmp_path / 'run'}"]
    train.main(cli.parse(["", *arguments], train.define, ""))
    assert (tmp_path / "run" / "checkpoints" / "0000001").is_dir()
