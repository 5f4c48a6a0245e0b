"""The path of the 2015 graph, on a small one with its operations, node names, attributes and producer version."""

import numpy as np
import pytest
import tensorflow as tf
from frozen import EPSILON, WEIGHTS, graph_def

from tfdfm.classifiers import inception2015, inception_file
from tfdfm.errors import Failure


def legacy_bilinear(image: np.ndarray, size: int) -> np.ndarray:
    """TensorFlow 1's: the pixel of place i comes from i * old / new, with no half-pixel centres."""
    for axis in (0, 1):
        length = image.shape[axis]
        place = np.arange(size) * (length / size)
        low = np.minimum(place.astype(int), length - 1)
        part = (place - low).reshape([-1, 1, 1] if axis == 0 else [1, -1, 1])
        image = image.take(low, axis) * (1 - part) + image.take(np.minimum(low + 1, length - 1), axis) * part
    return image


def reference(image: np.ndarray, scaled: bool) -> tuple[np.ndarray, np.ndarray]:
    x = (legacy_bilinear(image.astype(float), 299) - 128) / 128
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (0, 1))[::2, ::2]  # [h, w, in, 3, 3]
    y = np.einsum("hwcij,ijco->hwo", windows, WEIGHTS["conv/conv2d_params"])
    mean, variance, beta, gamma = (
        WEIGHTS[f"conv/batchnorm/{part}"] for part in ("moving_mean", "moving_variance", "beta", "gamma")
    )
    y = (y - mean) / np.sqrt(variance + EPSILON) * (gamma if scaled else 1) + beta
    features = np.maximum(y, 0).mean((0, 1))
    return features, features @ WEIGHTS["softmax/weights"]


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("size", [32, 400])
def test_features_and_logits_are_the_old_graphs(tmp_path, scaled, size):
    (tmp_path / "graph.pb").write_bytes(graph_def(scaled).SerializeToString())
    network = inception2015.network(tmp_path / "graph.pb")
    images = np.random.default_rng(1).integers(0, 256, [3, size, size, 3]).astype(np.float32)
    features, logits = (output.numpy() for output in network(tf.constant(images)))
    for image, one, two in zip(images, features, logits, strict=True):
        expected = reference(image, scaled)
        np.testing.assert_allclose(one, expected[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(two, expected[1], rtol=1e-4, atol=1e-4)


def test_without_the_rewriting_a_function_of_tensorflow_2_refuses_it(tmp_path, monkeypatch):
    (tmp_path / "graph.pb").write_bytes(graph_def(True).SerializeToString())
    monkeypatch.setattr(inception2015, "rewrite", lambda graph: None)
    with pytest.raises((Failure, tf.errors.OpError), match="BatchNormWithGlobalNormalization"):
        inception2015.network(tmp_path / "graph.pb")(tf.zeros([1, 9, 9, 3]))


@pytest.mark.parametrize("content", [b"", b"no graph", graph_def(True).SerializeToString()[:-300]], ids=range(3))
def test_a_file_that_is_another_is_one_line(tmp_path, content):
    (tmp_path / "a.pb").write_bytes(content)
    with pytest.raises(Failure, match=r"a.pb is not the frozen Inception graph of 2015-12-05 \(.*Take classify_image"):
        inception2015.network(tmp_path / "a.pb")
    with pytest.raises(Failure, match="Cannot read .*none.pb: No such file"):
        inception2015.network(tmp_path / "none.pb")


def test_the_checksum_is_of_the_files_bytes(tmp_path):
    (tmp_path / "a.pb").write_bytes(b"abc")
    assert inception_file.checksum(tmp_path / "a.pb").startswith("ba7816bf8f01cfea")
