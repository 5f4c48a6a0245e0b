import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdfm.recipes.keys import OPTIMIZER
from tfdfm.training.optimizers import FusedAdam, make


def test_fused_adam_is_keras_adam():
    rng = np.random.default_rng(0)
    gradients = [[rng.normal(size=shape).astype(np.float32) for shape in ((3, 4), (5,))] for _ in range(4)]
    ended = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        weights = [keras.Variable(tf.ones(shape)) for shape in ((3, 4), (5,))]
        adam = kind(learning_rate=1e-2, beta_1=0.5, beta_2=0.999, epsilon=1e-8)
        adam.build(weights)
        for of in gradients:
            adam.apply([tf.constant(g) for g in of], weights)
        ended.append([variable.numpy() for variable in [*weights, *adam.variables]])
    for ours, expected in zip(*ended, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def rates(player="discriminator", **keys):
    """Of gradients that never change sign or size the step of each method is the learning rate: of five steps."""
    weight = keras.Variable(tf.zeros([1]))
    optimizer = make(player, OPTIMIZER | dict(learning_rate=1.0, beta_1=0.0, beta_2=0.0) | keys)
    optimizer.build([weight])
    seen = [0.0]
    for _ in range(5):
        optimizer.apply([tf.ones([1])], [weight])
        seen.append(-float(weight.numpy()[0]))
    return pytest.approx(np.diff(seen), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("method", ["adam", "rmsprop", "sgd"])
def test_the_learning_rate_is_halved_and_falls_to_zero(method):
    assert rates(method=method, halve_every=2) == [1, 1, 0.5, 0.5, 0.25]
    assert rates(method=method, decay_from=1, decay_until=3) == [1, 1, 0.5, 0, 0]


def test_the_generator_may_have_an_optimizer_of_its_own():
    keys = dict(generator_method="sgd", generator_learning_rate=0.5, generator_until=2)
    assert rates("generator", **keys) == [0.5, 0.5, 0, 0, 0]
    assert rates("discriminator", **keys) == [1, 1, 1, 1, 1]
    assert isinstance(make("generator", OPTIMIZER | keys), keras.optimizers.SGD)


def test_rmsprop_is_the_papers():
    """v = rho v + (1 - rho) g^2, w -= rate g / sqrt(v + epsilon^2), of gradients as small as a clipped critic gives"""
    weight, slopes = keras.Variable(tf.zeros([2])), np.array([[1.0, -2e-6], [3.0, 5e-7]], np.float32)
    optimizer = make("discriminator", OPTIMIZER | dict(method="rmsprop", learning_rate=5e-5, beta_2=0.99))
    optimizer.build([weight])
    expected, squares = np.zeros(2), np.zeros(2)
    for slope in slopes:
        optimizer.apply([tf.constant(slope)], [weight])
        squares = 0.99 * squares + 0.01 * slope**2
        expected -= 5e-5 * slope / np.sqrt(squares + 1e-16)
    np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-5)


def test_root_adam_is_salimans_et_als():
    """w -= rate m^ / sqrt(v^ + epsilon), of gradients about as small as the root of epsilon"""
    weight, slopes = keras.Variable(tf.zeros([2])), np.array([[1e-4, -2e-5], [3e-4, 5e-5], [-1e-5, 1e-3]])
    keys = dict(method="adam_root", learning_rate=3e-3, beta_1=0.5, beta_2=0.999, epsilon=1e-8)
    optimizer = make("discriminator", OPTIMIZER | keys)
    optimizer.build([weight])
    expected, mean, square = np.zeros(2), np.zeros(2), np.zeros(2)
    for step, slope in enumerate(slopes, 1):
        optimizer.apply([tf.constant(slope, tf.float32)], [weight])
        mean, square = 0.5 * mean + 0.5 * slope, 0.999 * square + 0.001 * slope**2
        expected -= 3e-3 * mean / (1 - 0.5**step) / np.sqrt(square / (1 - 0.999**step) + 1e-8)
    np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize("method", ["adam", "adam_root", "rmsprop", "sgd"])
def test_l2_times_the_weight_is_added_to_its_gradient(method):
    rng, l2 = np.random.default_rng(0), 0.25
    keys = OPTIMIZER | dict(method=method, learning_rate=1e-2)
    with_l2, plain = (keras.Variable(tf.constant([1.0, -2.0])) for _ in range(2))
    regularised, usual = make("generator", keys | dict(l2=l2)), make("generator", keys)
    for optimizer, weight in ((regularised, with_l2), (usual, plain)):
        optimizer.build([weight])
    for slope in rng.normal(size=(3, 2)).astype(np.float32):
        usual.apply([tf.constant(slope + l2 * plain.numpy())], [plain])
        regularised.apply([tf.constant(slope)], [with_l2])
        np.testing.assert_allclose(with_l2.numpy(), plain.numpy(), rtol=1e-6)


def test_l2_by_hand():
    weight = keras.Variable(tf.constant([2.0]))
    optimizer = make("discriminator", OPTIMIZER | dict(method="sgd", learning_rate=0.5, l2=0.1))
    optimizer.build([weight])
    optimizer.apply([tf.constant([1.0])], [weight])
    assert float(weight.numpy()[0]) == pytest.approx(2.0 - 0.5 * (1.0 + 0.1 * 2.0))


def test_sgd_may_have_momentum():
    keys = dict(method="sgd", momentum=0.5)
    assert rates(**keys) == [1, 1.5, 1.75, 1.875, 1.9375]
