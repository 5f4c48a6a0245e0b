"""Batch norm against NumPy, initial weights, and labels beside features."""

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.networks.layers import BatchNorm, BatchStatistics, Network, with_labels

SHAPES = [(6, 5), (3, 4, 4, 5)]


def inputs(shape):
    return np.random.default_rng(0).normal(3.0, 2.0, shape).astype(np.float32)


def layer(shape, **kwargs):
    norm = BatchNorm(0, **kwargs)
    norm.build(shape)
    rng = np.random.default_rng(1)
    norm.bias.assign(rng.normal(size=5))
    norm.mean.assign(rng.normal(size=5))
    norm.variance.assign(rng.uniform(0.5, 2, 5))
    return norm


def reference(norm, x, mean, variance):
    gain, bias = norm.gain.numpy(), norm.bias.numpy()
    return (x - mean) / np.sqrt(variance + 1e-5) * gain + bias


@pytest.mark.parametrize("synchronised", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_batchs_own_statistics_are_used_and_recorded(shape, synchronised):
    norm, x, statistics = layer(shape), inputs(shape), BatchStatistics(synchronised)
    axes, count = tuple(range(len(shape) - 1)), np.prod(shape[:-1])
    mean, variance = x.mean(axes, dtype=np.float64), x.var(axes, dtype=np.float64)
    before = [v.numpy() for v in (norm.mean, norm.variance)]
    np.testing.assert_allclose(norm(x, statistics=statistics), reference(norm, x, mean, variance), rtol=1e-4, atol=1e-5)
    (first, recorded_mean), (second, recorded_variance) = statistics.recorded
    assert first is norm.mean and second is norm.variance
    np.testing.assert_allclose(recorded_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(recorded_variance, variance * count / (count - 1), rtol=1e-5)
    for old, now in zip(before, (norm.mean, norm.variance), strict=True):
        np.testing.assert_array_equal(now, old)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_statistics_the_populations_are_used(shape):
    norm, x = layer(shape), inputs(shape)
    expected = reference(norm, x, norm.mean.numpy(), norm.variance.numpy())
    np.testing.assert_allclose(norm(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("synchronised", [False, True])
def test_gradients_of_local_and_synchronised_agree_with_plain_operations(synchronised):
    norm, x = layer((3, 4, 4, 5)), tf.constant(inputs((3, 4, 4, 5)))
    gain, bias, weight = norm.gain.value, norm.bias.value, tf.constant(inputs((3, 4, 4, 5))[::-1])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours = tf.reduce_sum(weight * norm(x, statistics=BatchStatistics(synchronised)) ** 2)
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        plain = tf.reduce_sum(weight * ((x - mean) / tf.sqrt(variance + 1e-5) * gain + bias) ** 2)
    for of in (x, gain, bias):
        np.testing.assert_allclose(tape.gradient(ours, of), tape.gradient(plain, of), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(8, 5), (4, 4, 4, 5)])
def test_synchronised_over_two_replicas_is_the_whole_batch(shape):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
    x = inputs(shape)
    with strategy.scope():
        norm = layer(shape)

    @tf.function
    def run(shares):
        def replica(share):
            statistics = BatchStatistics(synchronised=True)
            return norm(share, statistics=statistics), [value for _, value in statistics.recorded]

        return strategy.run(replica, (shares,))

    halves = np.split(x, 2)
    share = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(halves[context.replica_id_in_sync_group])
    )
    ys, recorded = run(share)
    statistics = BatchStatistics(synchronised=True)
    whole = norm(x, statistics=statistics)
    ys = np.concatenate(strategy.experimental_local_results(ys))
    np.testing.assert_allclose(ys, whole, rtol=1e-4, atol=1e-5)
    for ours, (_, expected) in zip(recorded, statistics.recorded, strict=True):
        for replica in strategy.experimental_local_results(ours):
            np.testing.assert_allclose(replica, expected, rtol=1e-5)


def test_statistics_stay_float32_under_bfloat16():
    norm, statistics = layer((6, 5), dtype="mixed_bfloat16"), BatchStatistics()
    assert norm(tf.cast(inputs((6, 5)), tf.bfloat16), statistics=statistics).dtype == tf.bfloat16
    assert {value.dtype for _, value in statistics.recorded} == {tf.float32}
    assert {variable.dtype for variable in norm.variables} == {"float32"}


class Wide(Network):
    def __init__(self, seed):
        super().__init__(seed)
        self.layer_list = [self.dense(300), self.conv(300, 3), self.transposed_conv(300, 3)]
        self.last = self.norm()

    def call(self, x):
        images = tf.reshape(x, [-1, 1, 1, 300])
        return [layer(images) for layer in self.layer_list], self.last(x)


def made(seed):
    network = Wide(seed)
    network(tf.zeros([1, 300]))
    return network


def test_initial_weights_are_radfords():
    network = made(0)
    for layer in network.layer_list:
        kernel = layer.kernel.numpy()
        assert not layer.use_bias
        assert kernel.std() == pytest.approx(0.02, rel=0.02) and abs(kernel.mean()) < 3e-4
    gain = network.last.gain.numpy()
    assert gain.mean() == pytest.approx(1, abs=0.005) and gain.std() == pytest.approx(0.02, rel=0.15)
    assert not network.last.bias.numpy().any() and not network.last.mean.numpy().any()
    assert np.all(network.last.variance.numpy() == 1)


def test_initial_weights_are_a_function_of_seed_and_place():
    first, second, other = made(0), made(0), made(1)
    for a, b, c in zip(first.trainable_variables, second.trainable_variables, other.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.all(b.numpy() == 0) or not np.array_equal(b, c)
    conv, transposed = (layer.kernel.numpy().ravel() for layer in first.layer_list[1:])
    assert abs(np.corrcoef(conv, transposed)[0, 1]) < 0.01


def test_labels_are_concatenated_to_features_and_as_constant_planes_to_maps():
    one_hot = tf.one_hot([2, 0], 3)
    np.testing.assert_array_equal(with_labels(tf.fill([2, 1], 7.0), one_hot), [[7, 0, 0, 1], [7, 1, 0, 0]])
    maps = with_labels(tf.zeros([2, 4, 5, 1], tf.bfloat16), one_hot)
    assert maps.shape == (2, 4, 5, 4) and maps.dtype == tf.bfloat16
    np.testing.assert_array_equal(tf.cast(maps, tf.float32)[0], np.broadcast_to([0, 0, 0, 1], (4, 5, 4)))
    assert with_labels(maps, None) is maps
