"""Features batch by batch, and kept by content."""

import hashlib

import made_up
import numpy as np
import pytest

from tfdfm import arrays
from tfdfm.classifiers import features
from tfdfm.classifiers.binding import Classifier
from tfdfm.errors import Failure


def classifier(name="mean", calls=None):
    """Mean and deviation of each channel; three logits of them."""

    def run(images):
        (calls if calls is not None else []).append(len(images))
        x = images.reshape(len(images), -1, images.shape[3]).astype(np.float32)
        found = np.concatenate([x.mean(1), x.std(1)], 1)
        return found, found[:, :3] / 10

    return Classifier(name, {"name": name, "checksum": "0"}, 3, run)


@pytest.fixture
def images():
    return made_up.images(150)


def test_batches_are_put_together_in_order(images):
    done = []
    found = features.features(images, classifier(), done.append)
    expected, logits = classifier().run(images)
    np.testing.assert_array_equal(found.features, expected)
    np.testing.assert_array_equal(found.logits, logits)
    assert found.keys.tobytes() == b"".join(hashlib.sha256(image.tobytes()).digest() for image in images)
    assert done == [64, 128, 150]


def test_what_is_on_disk_is_made_once(images, tmp_path):
    calls = []
    first = features.cached(images, classifier(calls=calls), cache_dir=str(tmp_path))
    again = features.cached(images.copy(), classifier(calls=calls), cache_dir=str(tmp_path))
    assert sum(calls) == 150 and isinstance(again.features, np.memmap)
    for one, two, expected in zip(first, again, features.features(images, classifier()), strict=True):
        np.testing.assert_array_equal(one, expected)
        np.testing.assert_array_equal(two, expected)


def test_other_images_and_other_classifiers_are_kept_apart(images, tmp_path):
    changed = images.copy()
    changed[149, 0, 0, 0] ^= 1
    for which, network in ((images, "a"), (changed, "a"), (images[:75].repeat(2, 0), "a"), (images, "b")):
        features.cached(which, classifier(network), cache_dir=str(tmp_path))
    assert len(list(tmp_path.glob("features-*.npy"))) == 4
    assert arrays.content(images) != arrays.content(images.reshape(75, *(2 * images.shape[1], *images.shape[2:])))


def test_a_failure_leaves_nothing_that_is_read(images, tmp_path):
    broken = classifier()._replace(run=lambda batch: classifier().run(batch) if len(batch) == 64 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        features.cached(images, broken, cache_dir=str(tmp_path))
    assert list(tmp_path.glob("*.npy")) == []


def test_damage_is_one_line(images, tmp_path):
    features.cached(images, classifier(), cache_dir=str(tmp_path))
    (path,) = tmp_path.glob("*.npy")
    whole = path.read_bytes()
    for damaged in (
        b"",
        whole[:-1],
        whole[:-5],
        whole + b"0",
        *(_flipped(whole, place) for place in (3, 130, 999, -1)),
    ):
        path.write_bytes(damaged)
        with pytest.raises(Failure, match=f"{path.name} are damaged .*delete the file"):
            features.cached(images, classifier(), cache_dir=str(tmp_path))
    path.write_bytes(whole[:-4])  # as 0.1 wrote it
    features.cached(images, classifier(), cache_dir=str(tmp_path))


def _flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 4
    return bytes(changed)
