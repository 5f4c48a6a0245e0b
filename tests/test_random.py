"""Numbers are a function of (seed, purpose, step, position) alone."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfdfm.random import Noise, Random, key


def draw(kind, shape, *, purpose="latents", seed=0, step=5, position=0):
    random = Random(seed, tf.constant(step, tf.int64), tf.constant(position, tf.int64))
    return getattr(random, kind)(purpose, shape).numpy()


@pytest.mark.parametrize("kind", ["uniform", "normal"])
@pytest.mark.parametrize("size", [1, 3, 8, 13])
def test_a_replicas_numbers_are_its_slice_of_the_global_draw(kind, size):
    whole = draw(kind, [8, size])
    for replicas in (2, 4):
        share = 8 // replicas
        parts = [draw(kind, [share, size], position=place * share) for place in range(replicas)]
        tolerance = {"uniform": 0, "normal": 1e-6}[kind]  # a vectorised logarithm's last bit depends on its place
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_graph_xla_and_eager_agree(kind):
    def drawn(step, position):
        return getattr(Random(1, step, position), kind)("corruption", [6, 7, 3])

    place = tf.constant(2**40, tf.int64), tf.constant(12, tf.int64)
    eager, graph, xla = (f(*place).numpy() for f in (drawn, tf.function(drawn), tf.function(drawn, jit_compile=True)))
    if kind == "uniform":
        np.testing.assert_array_equal(eager.view(np.uint32), graph.view(np.uint32))
        np.testing.assert_array_equal(eager.view(np.uint32), xla.view(np.uint32))
    np.testing.assert_allclose(graph, eager, rtol=0, atol=2e-6)
    np.testing.assert_allclose(xla, eager, rtol=0, atol=2e-6)


def test_uniform_fills_the_unit_interval():
    numbers = draw("uniform", [1000, 100]).ravel()
    assert numbers.min() >= 0 and numbers.max() < 1
    assert np.all(numbers * 2**23 == np.round(numbers * 2**23))
    assert stats.kstest(numbers, "uniform").pvalue > 0.01


def test_normal_is_standard_and_its_columns_are_uncorrelated():
    numbers = draw("normal", [25_000, 4])
    assert stats.kstest(numbers.ravel(), "norm").pvalue > 0.01
    np.testing.assert_allclose(np.cov(numbers, rowvar=False), np.eye(4), atol=0.03)
    assert np.isfinite(numbers).all() and np.abs(numbers).max() > 4
    assert stats.kurtosis(numbers.ravel()) == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize("other", [{"purpose": "flip"}, {"step": 6}, {"seed": 1}, {"position": 2000}])
def test_streams_are_independent(other):
    ours, theirs = draw("normal", [2000, 5]), draw("normal", [2000, 5], **other)
    assert abs(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]) < 0.04
    assert not np.intersect1d(draw("uniform", [50, 4]), draw("uniform", [50, 4], **other)).size > 2


def test_the_same_arguments_give_the_same_numbers_whatever_was_drawn_before():
    first = draw("normal", [4, 4])
    draw("normal", [9, 9])
    np.testing.assert_array_equal(draw("normal", [4, 4]), first)


def test_keys_are_stable_across_processes_and_versions():
    assert key(0, "latents") == 10480879795186005038


def test_dropout_keeps_the_mean_and_each_draw_is_another():
    noise = Noise(Random(0, tf.constant(5, tf.int64), tf.constant(0, tf.int64)), "data")
    ones = tf.ones([64, 1000])
    first, second = (noise.dropout(ones, 0.2).numpy() for _ in range(2))
    assert set(np.unique(first)) == {0.0, np.float32(1 / 0.8)}
    assert abs(np.mean(first == 0) - 0.2) < 5 * np.sqrt(0.2 * 0.8 / first.size)
    assert abs(np.mean((first == 0) & (second == 0)) - 0.04) < 5 * np.sqrt(0.04 * 0.96 / first.size)


def test_noise_is_a_function_of_its_purpose_and_place():
    def added(purpose):
        noise = Noise(Random(0, tf.constant(5, tf.int64), tf.constant(0, tf.int64)), purpose)
        return [noise.gaussian(tf.zeros([64, 1000]), 0.3).numpy() for _ in range(2)]

    (first, second), again, (other, _) = added("data"), added("data"), added("samples")
    np.testing.assert_array_equal([first, second], again)
    assert abs(np.corrcoef([first.ravel(), second.ravel(), other.ravel()]) - np.eye(3)).max() < 0.03
    assert first.std() == pytest.approx(0.3, rel=0.02)
