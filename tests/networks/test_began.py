"""The networks of BEGAN."""

import numpy as np
import pytest

from tfdfm.networks.began import BEGANDiscriminator, BEGANGenerator
from tfdfm.networks.layers import BatchStatistics


def images(size=16, channels=3, batch=4):
    return np.random.default_rng(0).uniform(-1, 1, (batch, size, size, channels)).astype(np.float32)


def made(kind, size=16, width=4, channels=3, **kwargs):
    network = kind(size, width=width, seed=0, **kwargs)
    return network, network(images(size, channels), statistics=BatchStatistics())


def latents(width, batch=2):
    return np.random.default_rng(0).uniform(-1, 1, (batch, width)).astype(np.float32)


def test_began_at_32_pixels_is_the_public_one():
    network, _ = made(BEGANDiscriminator, size=32)
    maps = [(layer.kernel.shape[2], layer.kernel.shape[3], layer.strides[0]) for layer in network.convs]
    first, second, third = (
        [(4, 4, 1), (4, 4, 1), (4, 4, 2)],
        [(4, 8, 1), (8, 8, 1), (8, 8, 2)],
        [(8, 12, 1), (12, 12, 1)],
    )
    assert maps == [(3, 4, 1), *first, *second, *third]
    assert network.code.kernel.shape == (8 * 8 * 12, 64)
    assert network.decoder.project.kernel.shape == (64, 8 * 8 * 4) and len(network.decoder.convs) == 6
    output = network(images(32))
    assert output.features.numpy().min() < 0 and np.abs(output.reconstruction).max() <= 1


@pytest.mark.parametrize(("size", "side"), [(16, 8), (32, 8), (48, 12), (64, 8)])
def test_begans_generator(size, side):
    network = BEGANGenerator(size, 3, width=4, seed=0)
    images = network(latents(64))
    assert images.shape == (2, size, size, 3) and np.abs(images).max() <= 1
    assert network.maps_shape == (side, side, 4) and side * 2 ** (len(network.convs) // 2 - 1) == size
    assert {layer.kernel.shape[:2] for layer in [*network.convs, network.last]} == {(3, 3)}
    assert not any("norm" in weight.path for weight in network.variables)


def test_begans_upsampling_repeats_pixels():
    network = BEGANGenerator(16, 1, width=1, seed=0)
    network(latents(64))
    for layer in [*network.convs, network.last]:  # the identity on positive numbers
        layer.kernel.assign(np.pad([[1.0]], 1)[:, :, None, None])
    images = np.arctanh(network(np.abs(latents(64)) * 0.01).numpy())
    small = np.maximum(images, 0)[:, ::2, ::2]
    assert images.max() > images.min()
    for row, column in ((0, 1), (1, 0), (1, 1)):
        np.testing.assert_allclose(np.maximum(images, 0)[:, row::2, column::2], small)
