"""The gradient penalty: known slopes, where it is taken, what it needs."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.errors import UsageError
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.gradient_penalty import GradientPenalty, gradient_norm
from tfdfm.random import Random

GP = {"terms": ("wasserstein", "gradient_penalty"), "wasserstein": {"clip": 0.0}, "n_critic": 2}


class Linear:
    """A play of a critic w.x between images of zeros and ones."""

    def __init__(self, norm: float, batch: int = 3):
        direction = np.random.default_rng(0).normal(size=[4, 4, 1]).astype(np.float32)
        weights = tf.constant(norm * direction / np.linalg.norm(direction))
        self.networks = {"discriminator": lambda x, labels: DiscriminatorOutput(tf.reduce_sum(weights * x, [1, 2, 3]))}
        self.images, self.generated, self.labels = tf.zeros([batch, 4, 4, 1]), tf.ones([batch, 4, 4, 1]), None
        self.random = Random(0, tf.constant(0, tf.int64), tf.constant(0, tf.int64))

    def discriminate(self, images, purpose, statistics, *, labels):
        assert purpose == "penalty" and statistics is None
        return self.networks["discriminator"](images, labels=labels)


@pytest.mark.parametrize(("norm", "penalty"), [(1.0, 0.0), (3.0, 40.0), (0.0, 10.0)])
def test_the_penalty_of_a_linear_critic(norm, penalty):
    """(norm - 1)^2 lambda: 0 for a unit norm, four times lambda for 3."""
    found = GradientPenalty().discriminator_loss(Linear(norm))["gradient_penalty"]
    np.testing.assert_allclose(found, [penalty] * 3, rtol=1e-4, atol=1e-5)


def test_the_penalty_is_taken_between_data_and_samples_and_not_felt_by_g():
    forward, seen = Linear(1.0, batch=100), []
    critic = forward.networks["discriminator"]
    forward.networks["discriminator"] = lambda x, labels: seen.append(x.numpy()) or critic(x, labels)
    with tf.GradientTape() as tape:
        tape.watch(forward.generated)
        loss = GradientPenalty().discriminator_loss(forward)["gradient_penalty"]
    assert tape.gradient(loss, forward.generated) is None
    (between,) = seen
    assert (between == between[:, :1, :1]).all()  # one place on the line for an image
    places = between[:, 0, 0, 0]
    assert 0 <= places.min() < 0.1 and 0.9 < places.max() < 1


def test_instance_noise_is_on_the_images_between():
    """D is shown nothing but noisy images, the penalty's too."""
    from tfdfm.objectives.instance_noise import InstanceNoise

    trainer, seen = toys.trainer(**GP, discriminator={"network": "DCGAN", "width": 4, "batch_norm": False}), []
    critic = trainer.networks["discriminator"]
    for terms in ((), (InstanceNoise(sigma=0.3),)):
        forward = toys.forward(trainer, terms=terms)
        forward.networks = trainer.networks | {"discriminator": lambda x, **_: seen.append(x.numpy()) or critic(x)}
        GradientPenalty().discriminator_loss(forward)
    noise = seen[1] - seen[0]
    assert noise.std() == pytest.approx(0.3, rel=0.05) and abs(noise.mean()) < 0.03


def test_the_norm_is_each_examples_own():
    x = tf.constant([[3.0, 4.0], [0.0, 2.0]])
    np.testing.assert_allclose(gradient_norm(lambda x: tf.reduce_sum(x**2, 1) / 2, x), [5, 2], rtol=1e-6)


def test_a_penalty_with_batch_norm_in_the_critic_is_an_error():
    with pytest.raises(
        UsageError, match="'gradient_penalty' takes each .* Set --config.discriminator.batch_norm=False"
    ):
        toys.trainer(**GP)


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.whole)])
def test_a_step_with_the_penalty_is_finite(jit):
    trainer = toys.trainer(**GP, jit=jit, discriminator={"network": "DCGAN", "width": 4, "batch_norm": False})
    logs = toys.stepper(trainer)(toys.batch(size=2 * toys.BATCH))
    assert logs["first_bad_step"] == -1 and logs["discriminator/gradient_penalty"] > 0


def test_the_critic_computes_in_float32_whatever_the_precision(monkeypatch):
    from tfdfm.training import distribution

    monkeypatch.setattr(distribution, "_multiplies", lambda choice: True)
    config = {**GP, "discriminator": {"network": "DCGAN", "width": 4, "batch_norm": False}}
    networks = toys.trainer(**config, precision="mixed_bfloat16").networks
    assert networks["discriminator"].dtype_policy.name == "float32"
