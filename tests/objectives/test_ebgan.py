"""Energy-based GAN and its pull-away term, against values worked by hand and NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.ebgan import EnergyBased
from tfdfm.objectives.pull_away import PullAway, mean_squared_cosine

REAL, FAKE = tf.constant([1.0, 2.0, 30.0]), tf.constant([4.0, 10.0, 25.0])
FORWARD = SimpleNamespace(real=DiscriminatorOutput(REAL), fake=DiscriminatorOutput(FAKE), step=tf.constant(0))


def test_losses_by_hand_and_no_hinge_above_the_margin():
    game = EnergyBased(margin=10.0)
    losses = game.discriminator_loss(FORWARD)
    np.testing.assert_allclose(losses["data"], [1, 2, 30])
    np.testing.assert_allclose(losses["samples"], [6, 0, 0])
    np.testing.assert_allclose(game.generator_loss(FORWARD)["ebgan"], [4, 10, 25])
    assert float(game.diagnostics(FORWARD, {})["discriminator/samples_within_margin"]) == pytest.approx(1 / 3)


def test_samples_above_the_margin_do_not_move_d_but_g():
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(FAKE)
        of_d = EnergyBased(margin=10.0).discriminator_loss(FORWARD)["samples"]
        of_g = EnergyBased(margin=10.0).generator_loss(FORWARD)["ebgan"]
    np.testing.assert_array_equal(tape.gradient(of_d, FAKE), [-1, 0, 0])
    np.testing.assert_array_equal(tape.gradient(of_g, FAKE), [1, 1, 1])


def pull_away(codes):
    return float(mean_squared_cosine(tf.constant(codes, tf.float32)))


def test_orthogonal_codes_do_not_pull_and_equal_ones_do_most():
    assert pull_away(np.eye(4, 6) * [[1], [2], [3], [4]]) == 0
    assert pull_away(np.tile([1.0, 2.0, 3.0], [5, 1])) == pytest.approx(1)
    assert pull_away([[1.0, 2.0], [-3.0, -6.0]]) == pytest.approx(1)  # the cosine is squared


def test_pull_away_against_numpy_whatever_the_scale():
    codes = np.random.default_rng(0).normal(size=(5, 3))
    total = 0.0
    for i in range(5):
        for j in range(5):
            if i != j:
                total += (codes[i] @ codes[j] / np.linalg.norm(codes[i]) / np.linalg.norm(codes[j])) ** 2
    assert pull_away(codes) == pytest.approx(total / (5 * 4), rel=1e-5)
    assert pull_away(codes * np.array([[0.1], [1], [2], [30], [400]])) == pytest.approx(total / (5 * 4), rel=1e-5)


def test_pull_away_is_gs_alone_a_scalar_and_weighted():
    codes = tf.ones([3, 4])
    forward = SimpleNamespace(fake=DiscriminatorOutput(None, codes))
    loss = PullAway(weight=0.25).generator_loss(forward)["pull_away"]
    assert loss.shape == () and float(loss) == pytest.approx(0.25)
    assert not hasattr(PullAway, "discriminator_loss") and PullAway().weight == 0.1


def test_a_code_of_zeros_gives_no_nan():
    codes = tf.constant([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(codes)
        value = mean_squared_cosine(codes)
    assert float(value) == pytest.approx(2 * 0.5 / 6) and np.isfinite(tape.gradient(value, codes)).all()


@pytest.mark.parametrize(("step", "margin"), [(0, 16), (15_000, 12), (60_000, 0), (70_000, 0)])
def test_the_margin_falls_to_zero_and_then_samples_are_no_concern_of_ds(step, margin):
    forward = SimpleNamespace(
        real=DiscriminatorOutput(tf.constant([3.0])),
        fake=DiscriminatorOutput(tf.constant([4.0])),
        step=tf.constant(step),
    )
    losses = EnergyBased(margin=16.0, margin_steps=60_000, weight=1000 / 784).discriminator_loss(forward)
    np.testing.assert_allclose(losses["samples"], [1000 / 784 * max(margin - 4, 0)], rtol=1e-5)
    np.testing.assert_allclose(losses["data"], [1000 / 784 * 3], rtol=1e-6)
