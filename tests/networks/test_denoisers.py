import numpy as np
import pytest
import tensorflow as tf

from tfdfm.networks.denoisers import ConvolutionalDenoiser, FullyConnectedDenoiser
from tfdfm.networks.layers import BatchStatistics

SHAPE = (2, 3, 5)
PHI = np.random.default_rng(0).normal(size=(4, 30)).astype(np.float32)


def made(kind, depth=2, width=7, **kwargs):
    network = kind(SHAPE, depth=depth, width=width, seed=0, **kwargs)
    network(PHI)
    return network


@pytest.mark.parametrize("kind", [FullyConnectedDenoiser, ConvolutionalDenoiser])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_any_depth_gives_features_for_features(kind, depth):
    network, statistics = made(kind, depth), BatchStatistics()
    out = network(PHI, statistics=statistics)
    assert out.shape == PHI.shape and out.dtype == tf.float32
    assert len(statistics.recorded) == 2 * depth
    assert np.abs(out).min() < 1e-9 or out.numpy().min() < 0  # linear: nothing clips it


def test_parameters_by_hand():
    dense, maps = (
        sum(int(np.prod(w.shape)) for w in made(k).trainable_variables)
        for k in (FullyConnectedDenoiser, ConvolutionalDenoiser)
    )
    assert dense == 30 * 7 + 7 * 7 + 4 * 7 + 7 * 30 + 30
    assert maps == 9 * (5 * 7 + 7 * 7 + 7 * 5) + 4 * 7 + 5


def test_the_fully_connected_one_against_numpy():
    network, x = made(FullyConnectedDenoiser), PHI.astype(np.float64)
    for dense, norm in zip(network.hidden, network.norms, strict=True):
        x = x @ dense.kernel.numpy()
        x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * norm.gain.numpy()
        x = np.maximum(x, 0)
    network.last.bias.assign(np.arange(30))
    expected = x @ network.last.kernel.numpy() + np.arange(30)
    np.testing.assert_allclose(network(PHI, statistics=BatchStatistics()), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [FullyConnectedDenoiser, ConvolutionalDenoiser])
def test_mixed_bfloat16_keeps_the_output_and_the_statistics_float32(kind):
    network, statistics = made(kind, dtype="mixed_bfloat16"), BatchStatistics()
    assert network(PHI, statistics=statistics).dtype == tf.float32
    assert {value.dtype for _, value in statistics.recorded} == {tf.float32}
