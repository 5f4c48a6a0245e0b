"""Generators beside Radford et al.'s: EBGAN's and BEGAN's."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm import recipes
from tfdfm.errors import UsageError
from tfdfm.networks.began import BEGANGenerator
from tfdfm.networks.ebgan import FullyConnectedGenerator, NoisePlanesGenerator, noise_shapes
from tfdfm.networks.layers import BatchStatistics
from tfdfm.training import build

PLANES = {128: [100, 64, 32, 16, 8, 4], 256: [100, 64, 32, 16, 8, 4, 2]}  # appendix C
MAPS = {128: [1024, 512, 256, 128, 64, 64, 3], 256: [2048, 1024, 512, 256, 128, 64, 64, 3]}


def latents(width, batch=2):
    return np.random.default_rng(0).uniform(-1, 1, (batch, width)).astype(np.float32)


def total(size):
    return sum(side**2 * planes for side, planes in noise_shapes(size))


@pytest.mark.parametrize("size", PLANES)
def test_noise_planes_are_the_papers(size):
    assert [planes for _, planes in noise_shapes(size)] == PLANES[size]
    assert [side for side, _ in noise_shapes(size)] == [1] + [4 * 2**i for i in range(len(PLANES[size]) - 1)]
    assert total(size) == recipes.recipe(f"imagenet{size}_ebgan_pt").latent_size


def test_layers_of_the_128_pixel_generator_are_the_papers_in_sixteenths():
    network = NoisePlanesGenerator(128, 3, width=4, seed=0)
    assert network(latents(total(128))).shape == (2, 128, 128, 3)
    kernels = [layer.kernel.shape for layer in [*network.convs, network.last]]  # [h, w, out, in]
    maps = [n // 16 for n in MAPS[128][:-1]] + [3]
    assert [k[2] for k in kernels] == maps
    assert [k[3] for k in kernels] == [a + b for a, b in zip([0, *maps], [*PLANES[128], 0], strict=False)]
    assert [k[:2] for k in kernels] == [(4, 4)] * 6 + [(3, 3)]
    assert len(network.norms) == 6


def test_widths_of_the_256_pixel_generator():
    network = NoisePlanesGenerator(256, 3, width=64, seed=0)
    assert [layer.filters for layer in [*network.convs, network.last]] == MAPS[256]


def test_every_plane_of_noise_is_seen():
    network, z = NoisePlanesGenerator(16, 3, width=4, seed=0), latents(total(16), 1)
    before, place = network(z).numpy(), 0
    for side, planes in noise_shapes(16):
        changed = z.copy()
        changed[:, place : place + side**2 * planes] *= -1
        assert not np.allclose(network(changed), before, atol=1e-6)
        place += side**2 * planes


def test_a_wrong_width_of_latents_is_an_error_that_says_the_right_one():
    changes = {"image_size": 128, "latent_size": 100, "generator": {"network": "NoisePlanes", "width": 4}}
    with pytest.raises(UsageError, match="takes 31844 latents, given 100. Set --config.latent_size=31844"):
        build.generator(toys.recipe(**changes), 3, 0)


@pytest.mark.parametrize("size", [4, 28, 48])
def test_a_size_without_noise_planes_is_an_error(size):
    with pytest.raises(UsageError, match=f"4 times a power of two.*given {size}"):
        NoisePlanesGenerator(size, 3, seed=0)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_the_grids_generator_against_numpy(depth):
    network, z = FullyConnectedGenerator(16, 1, depth=depth, width=6, seed=0), latents(7, 5)
    network(z)
    network.last.bias.assign(np.linspace(-1, 1, 256))
    x = z.astype(np.float64)
    for dense, norm in zip(network.hidden, network.norms, strict=True):
        x = x @ dense.kernel.numpy()
        x = np.maximum((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * norm.gain.numpy(), 0)
    expected = np.tanh(x @ network.last.kernel.numpy() + network.last.bias.numpy()).reshape(5, 16, 16, 1)
    assert len(network.hidden) == depth - 1
    np.testing.assert_allclose(network(z, statistics=BatchStatistics()), expected, rtol=1e-3, atol=1e-4)


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


@pytest.mark.parametrize(
    ("kind", "width"), [(FullyConnectedGenerator, 8), (NoisePlanesGenerator, total(16)), (BEGANGenerator, 8)]
)
def test_mixed_bfloat16_keeps_the_images_and_the_weights_float32(kind, width):
    network = kind(16, 3, width=4, seed=0, dtype="mixed_bfloat16")
    images = network(latents(width))
    assert images.dtype == tf.float32 and {w.dtype for w in network.variables} == {"float32"}
    np.testing.assert_allclose(images, kind(16, 3, width=4, seed=0)(latents(width)), atol=0.03)


@pytest.mark.parametrize("kind", [FullyConnectedGenerator, NoisePlanesGenerator, BEGANGenerator])
def test_labels_are_refused(kind):
    with pytest.raises(UsageError, match=f"{kind.__name__} takes no labels"):
        kind(16, 3, 10, seed=0)
