"""The classifier that is trained on the data set's own labels, on sets of some hundred images."""

import shutil
import threading

import numpy as np
import pytest
from absl import logging
from sklearn.datasets import load_digits

from tfdfm import progress
from tfdfm.arrays import LabelledImages
from tfdfm.classifiers import dataset, lookup
from tfdfm.errors import Failure, UsageError


def digits() -> tuple[LabelledImages, LabelledImages]:
    """1,297 real digits at 16 pixels to learn from, 500 others."""
    bunch = load_digits()
    pixels = np.round(bunch.images * (255 / 16)).astype(np.uint8).repeat(2, 1).repeat(2, 2)[..., None]
    rows = np.random.default_rng(0).permutation(len(pixels))
    return tuple(LabelledImages(pixels[part], bunch.target[part].astype(np.int32)) for part in (rows[500:], rows[:500]))


def toy(count=40, classes=2, size=8, channels=3, seed=0) -> LabelledImages:
    """Uneven classes that differ in brightness."""
    random = np.random.default_rng(seed)
    labels = np.minimum(random.integers(0, 3 * classes, count), classes - 1)
    labels[:classes] = np.arange(classes)
    light = (labels + 0.5) * (255 / classes)
    images = random.normal(light[:, None, None, None], 20, [count, size, size, channels])
    return LabelledImages(images.clip(0, 255).astype(np.uint8), labels)


def toys(**kwargs):
    return toy(**kwargs), toy(seed=1, **kwargs)


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def trained(cache_dir):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "EPOCHS", 8)
        return lookup.find("dataset", digits, str(cache_dir))


def test_digits_are_told_apart(trained):
    training, held_out = digits()
    features, logits = trained.run(held_out.images)
    accuracy = np.mean(logits.argmax(axis=1) == held_out.labels)
    assert accuracy >= 0.97 and trained.record["accuracy"] == pytest.approx(accuracy)
    assert {key: trained.record[key] for key in ("name", "trained_on", "held_out", "version", "resize")} == {
        "name": "dataset",
        "trained_on": 1297,
        "held_out": 500,
        "version": dataset.VERSION,
        "resize": "bilinear, antialiased, to 16 x 16",
    }
    assert len(trained.record["checksum"]) == 64 and trained.num_classes == 10
    assert features.shape == (500, 128) and features.dtype == np.float32
    assert (features == 0).mean() < 0.5 and np.linalg.matrix_rank(np.cov(features.T)) == 128


def test_order_and_batch_change_nothing(trained):
    images = digits()[1].images[:64]
    order = np.random.default_rng(0).permutation(64)
    parts = [trained.run(images[order[start : start + 13]]) for start in range(0, 64, 13)]
    for whole, part in zip(trained.run(images), zip(*parts, strict=True), strict=True):
        np.testing.assert_allclose(np.concatenate(part), whole[order], rtol=1e-5, atol=1e-5)


def test_colours_and_other_sizes_are_the_same_digits(trained):
    images = digits()[1].images[:50]
    wanted = trained.run(images)[1].argmax(axis=1)
    np.testing.assert_array_equal(trained.run(images.repeat(3, axis=3))[1].argmax(axis=1), wanted)
    larger = trained.run(images.repeat(2, 1).repeat(2, 2))[1].argmax(axis=1)
    assert np.mean(larger == wanted) > 0.9


def test_it_is_trained_once(trained, cache_dir, monkeypatch):
    monkeypatch.setattr(dataset, "train", lambda *_: pytest.fail("trained again"))
    again = lookup.find("dataset", digits, str(cache_dir))
    assert again.record == trained.record
    images = digits()[1].images[:9]
    for one, two in zip(trained.run(images), again.run(images), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.fixture
def trainings(monkeypatch):
    """Counts the trainings in the place of doing them."""
    counted = []
    monkeypatch.setattr(dataset, "train", lambda *_: counted.append(1))
    return counted


def test_other_images_labels_or_versions_are_trained_anew(tmp_path, trainings, monkeypatch):
    training, held_out = toys()
    changed = held_out.images.copy()
    changed[0, 0, 0, 0] ^= 1
    for sets in [
        (training, held_out),
        (training, LabelledImages(changed, held_out.labels)),
        (training, LabelledImages(held_out.images, held_out.labels[::-1])),
    ]:
        lookup.find("dataset", lambda sets=sets: sets, str(tmp_path))
    assert len(trainings) == 3
    monkeypatch.setattr(dataset, "VERSION", dataset.VERSION + 1)
    lookup.find("dataset", toys, str(tmp_path))
    lookup.find("dataset", toys, str(tmp_path))
    assert len(trainings) == 4


def test_two_at_once_train_it_once(tmp_path, trainings):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(lookup.find("dataset", toys, str(tmp_path)))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trainings) == 1 and found[0].record == found[1].record


def test_the_same_images_give_the_same_network(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "EPOCHS", 2)
    one, two = (lookup.find("dataset", toys, str(tmp_path / name)).record for name in "ab")
    assert one == two
    other = lookup.find("dataset", lambda: (toy(seed=2), toy(seed=1)), str(tmp_path / "a")).record
    assert other.keys() == one.keys() and other["checksum"] != one["checksum"]


def test_a_killed_training_leaves_nothing_that_is_taken(tmp_path, trainings, monkeypatch):
    def killed(path, *arrays, **_):
        path.write(b"PK\x03\x04half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(np, "savez", killed)
        lookup.find("dataset", toys, str(tmp_path))
    assert not list(tmp_path.glob("*.npz"))
    lookup.find("dataset", toys, str(tmp_path))
    assert len(trainings) == 2 and len(list(tmp_path.glob("*.npz"))) == 1


def test_a_damaged_file_is_one_line(trained, cache_dir, tmp_path):
    (kept,) = cache_dir.glob("*.npz")
    for content in (b"", kept.read_bytes()[:-40], kept.read_bytes()[:5000] + b"\1" * 300 + kept.read_bytes()[5300:]):
        shutil.copytree(cache_dir, tmp_path, dirs_exist_ok=True)
        (tmp_path / kept.name).write_bytes(content)
        with pytest.raises(Failure, match=rf"{kept.name} is damaged \(.*\): delete it, and it is trained again"):
            lookup.find("dataset", digits, str(tmp_path))


@pytest.mark.parametrize(
    "kwargs",
    [{"count": 12, "size": 28, "channels": 1}, {"count": 24, "size": 96, "classes": 3}],
    ids=str,
)
def test_small_sets_of_every_size_work(tmp_path, kwargs):
    found = lookup.find("dataset", lambda: toys(**kwargs), str(tmp_path))
    assert found.num_classes == kwargs.get("classes", 2) and found.record["accuracy"] > 0.8
    assert all(np.isfinite(values).all() for values in found.run(toy(**kwargs).images))


def test_progress_is_said(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(logging, "info", lambda text, *values: said.append(text % values))
    monkeypatch.setattr(progress.time, "monotonic", iter(range(0, 9_999, 4)).__next__)
    monkeypatch.setattr(dataset, "EPOCHS", 2)
    lookup.find("dataset", toys, str(tmp_path))
    assert said[0].startswith("Training the data set's classifier: 48 of 80 images, ") and said[0].endswith(" left")
    assert said[-1].endswith("of the held-out images.")


def test_each_wrong_set_is_one_line(tmp_path):
    training, held_out = toys()
    one_class = LabelledImages(training.images, np.full(40, 3))
    with pytest.raises(UsageError, match=r"expected labels of two classes or more, given only \[3\]"):
        lookup.find("dataset", lambda: (one_class, held_out), str(tmp_path))
    with pytest.raises(UsageError, match=r"Expected held-out images like the training's \[8, 8, 3\]. Received \[16"):
        lookup.find("dataset", lambda: (training, toy(size=16)), str(tmp_path))
    with pytest.raises(ValueError, match="a label >= 0 for each of 40 samples"):
        lookup.find("dataset", lambda: (training, LabelledImages(held_out.images, -held_out.labels - 1)), str(tmp_path))
