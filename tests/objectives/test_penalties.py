"""R1 and R2: known slopes, laziness, and that D is shown images as the other terms let it see them."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.errors import UsageError
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.forward import Forward
from tfdfm.objectives.gradient_penalty import squared_gradient_norm
from tfdfm.objectives.r1 import R1
from tfdfm.objectives.r2 import R2
from tfdfm.random import Random

B = 3
RELATIVISTIC = {
    "terms": ("relativistic", "r1", "r2"),
    "discriminator": {"network": "DCGAN", "width": 4, "batch_norm": False},
}


class Half:
    """A term through which D sees images at half their contrast."""

    def transform_input(self, forward, images, purpose):
        return images / 2


def play(step=0, terms=()):
    """D(x) = |x|^2 / 2, of data of ones and samples of halves, 4 pixels each: slopes of norm 2 and 1."""
    networks = {
        "generator": lambda latents, **_: tf.fill([B, 2, 2, 1], 0.5),
        "discriminator": lambda x, **_: DiscriminatorOutput(tf.reduce_sum(x**2, [1, 2, 3]) / 2),
    }
    step = tf.constant(step, tf.int64)
    images, random = tf.fill([B, 2, 2, 1], tf.constant(255, tf.uint8)), Random(0, step, tf.constant(0, tf.int64))
    return Forward(networks, images, None, random=random, latent=(8, "normal"), step=step, terms=terms)


def test_the_penalties_of_known_slopes():
    np.testing.assert_allclose(R1(gamma=10.0).discriminator_loss(play())["r1"], [20.0] * B, rtol=1e-6)
    np.testing.assert_allclose(R2(gamma=10.0).discriminator_loss(play())["r2"], [5.0] * B, rtol=1e-6)


def test_the_slope_is_taken_through_what_d_sees():
    """D of x / 2 is |x|^2 / 8: a quarter of the slope."""
    np.testing.assert_allclose(R1(gamma=16.0).discriminator_loss(play(terms=(Half(),)))["r1"], [2.0] * B, rtol=1e-6)


def test_lazily_every_third_step_three_times():
    found = [float(R1(gamma=10.0, every=3).discriminator_loss(play(step))["r1"][0]) for step in range(5)]
    assert found == pytest.approx([60, 0, 0, 60, 0])


def test_the_squared_norm_is_each_examples_own():
    x = tf.constant([[3.0, 4.0], [0.0, 2.0]])
    np.testing.assert_allclose(squared_gradient_norm(lambda x: tf.reduce_sum(x**2, 1) / 2, x), [25, 4], rtol=1e-6)


def test_batch_norm_in_d_is_refused():
    with pytest.raises(UsageError, match="'r1' takes each .* Set --config.discriminator.batch_norm=False"):
        toys.trainer(terms=("relativistic", "r1"))


@pytest.mark.parametrize(("jit", "every"), [(False, 1), (False, 2), pytest.param(True, 2, marks=pytest.mark.whole)])
def test_steps_with_both_are_finite_and_the_gradients_reach_d_alone(jit, every):
    trainer = toys.trainer(**RELATIVISTIC, r1={"every": every}, r2={"every": every}, jit=jit)
    step = toys.stepper(trainer)
    for number in range(3):
        logs = step(toys.batch(number))
        assert logs["first_bad_step"] == -1
        assert (logs["discriminator/r1"] > 0) == (logs["discriminator/r2"] > 0) == (number % every == 0)
    assert not any("gradient_norm_r" in name and name != "generator/gradient_norm_relativistic" for name in logs)
