import keras
import numpy as np
import pytest
import tensorflow as tf

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


@pytest.mark.parametrize("method", ["adam", "rmsprop"])
def test_the_learning_rate_is_halved_after_so_many_steps(method):
    """Of gradients that never change sign or size the step of both is the learning rate."""
    weight = keras.Variable(tf.zeros([1]))
    adam = make(method, learning_rate=1.0, beta_1=0.0, beta_2=0.0, epsilon=1e-8, halve_every=2)
    adam.build([weight])
    seen = []
    for _ in range(5):
        adam.apply([tf.ones([1])], [weight])
        seen.append(-float(weight.numpy()[0]))
    np.testing.assert_allclose(np.diff([0.0, *seen]), [1, 1, 0.5, 0.5, 0.25], rtol=1e-5)


def test_rmsprop_is_the_papers():
    """v = rho v + (1 - rho) g^2, w -= rate g / sqrt(v + epsilon)"""
    weight, slopes = keras.Variable(tf.zeros([2])), np.array([[1.0, -2.0], [3.0, 0.5]], np.float32)
    optimizer = make("rmsprop", learning_rate=5e-5, beta_1=0.0, beta_2=0.99, epsilon=1e-8, halve_every=0)
    optimizer.build([weight])
    expected, squares = np.zeros(2), np.zeros(2)
    for slope in slopes:
        optimizer.apply([tf.constant(slope)], [weight])
        squares = 0.99 * squares + 0.01 * slope**2
        expected -= 5e-5 * slope / np.sqrt(squares + 1e-8)
    np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-5)
