"""The layers of improved GAN: minibatch discrimination, virtual batch norm, weight norm."""

import numpy as np
import pytest

from tfdfm.networks.improved_gan_layers import MinibatchDiscrimination, VirtualBatchNorm, WeightNorm


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_minibatch_discrimination_against_numpy_without_its_own_distance():
    layer, x = MinibatchDiscrimination(0, kernels=3, width=2), numbers(5, 4)
    found = layer(x).numpy()
    layer.log_scale.assign(numbers(6, seed=1) * 0.3)
    found = layer(x).numpy()
    t = layer.direction.numpy()
    rows = (x @ (t / np.sqrt((t**2).sum(0)) * np.exp(layer.log_scale.numpy()))).reshape(5, 3, 2)
    for i in range(5):
        for b in range(3):
            o = sum(np.exp(-np.abs(rows[i, b] - rows[j, b]).sum()) for j in range(5) if j != i)
            assert found[i, 4 + b] == pytest.approx(o - 1.4, rel=1e-5)
    np.testing.assert_array_equal(found[:, :4], x)


def test_an_example_alone_has_no_neighbours_and_equal_ones_are_as_near_as_can_be():
    layer = MinibatchDiscrimination(0, kernels=3, width=2)
    np.testing.assert_allclose(layer(numbers(1, 4))[:, 4:], -1.4, atol=1e-6)
    np.testing.assert_allclose(layer(np.tile(numbers(1, 4), [6, 1]))[:, 4:], 5 - 1.4, atol=1e-5)


@pytest.mark.parametrize("shape", [(7, 3), (7, 4, 4, 3)])
def test_the_reference_gets_batch_norm_and_others_their_share(shape):
    layer, x = VirtualBatchNorm(4), numbers(*shape) * 2 + 1
    found = layer(x).numpy()
    axes, within = tuple(range(len(shape) - 1)), tuple(range(1, len(shape) - 1))
    reference = x[:4]
    mean, square = reference.mean(axes), (reference**2).mean(axes)
    expected = (reference - mean) / np.sqrt(square - mean**2 + 1e-5)
    np.testing.assert_allclose(found[:4], expected, atol=1e-5)
    for example, y in zip(x[4:], found[4:], strict=True):
        m, s = (
            (4 * ref + power.mean(tuple(axis - 1 for axis in within))) / 5
            for ref, power in ((mean, example), (square, example**2))
        )
        np.testing.assert_allclose(y, (example - m) / np.sqrt(s - m**2 + 1e-5), atol=1e-5)


def test_virtual_batch_norm_far_from_zero_is_that_near_it():
    layer, x = VirtualBatchNorm(4), numbers(7, 4, 4, 3)
    np.testing.assert_allclose(layer(x * 0.01 + 100), layer(x * 0.01), atol=1e-2)


@pytest.mark.parametrize("make", [lambda: WeightNorm(4, gain=2.0, seed=0), lambda: WeightNorm(4, 3, gain=2.0, seed=0)])
def test_weight_norm_has_weights_of_length_g_whatever_v(make):
    layer = make()
    x = numbers(2, 5) if not layer.size else numbers(2, 6, 6, 5)
    before = layer(x).numpy()
    layer.direction.assign(layer.direction * 7.0)
    np.testing.assert_allclose(layer(x), before, rtol=1e-4, atol=1e-5)
    if not layer.size:
        v = layer.direction.numpy()
        np.testing.assert_allclose(before, x @ (2 * v / np.linalg.norm(v, axis=0)), rtol=1e-4, atol=1e-5)
    assert [w.name for w in layer.trainable_variables] == ["direction", "bias"]


def test_a_transposed_convolution_of_weight_norm_is_kerass():
    import keras

    layer, x = WeightNorm(2, 5, 2, gain=1.5, transposed=True, trained=True, seed=0), numbers(3, 4, 4, 6)
    y = layer(x)
    other = keras.layers.Conv2DTranspose(2, 5, 2, "same")
    other.build(x.shape)
    v = layer.direction.numpy()
    other.kernel.assign(np.transpose(1.5 * v / np.sqrt((v**2).sum((0, 1, 2))), [0, 1, 3, 2]))
    np.testing.assert_allclose(y, other(x), atol=1e-5)
    assert len(layer.trainable_variables) == 3
