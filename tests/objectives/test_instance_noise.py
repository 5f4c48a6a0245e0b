"""Instance noise: what D sees, and how it fades."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.forward import Forward
from tfdfm.objectives.instance_noise import InstanceNoise
from tfdfm.random import Random


def play(step=0, batch=toys.BATCH, **kwargs):
    """A play, and the images that its D is shown."""
    seen, step = [], tf.constant(step, tf.int64)
    networks = {
        "generator": lambda latents, **_: tf.zeros([batch, 16, 16, 1]),
        "discriminator": lambda images, **_: seen.append(images) or DiscriminatorOutput(images[:, 0, 0, 0]),
    }
    images, random = tf.fill([batch, 16, 16, 1], tf.constant(255, tf.uint8)), Random(0, step, tf.constant(0, tf.int64))
    return Forward(networks, images, None, random=random, latent=(8, "uniform"), step=step, **kwargs), seen


def test_d_sees_data_and_samples_with_noise_of_their_own():
    now, seen = play(batch=64, terms=(InstanceNoise(sigma=0.3),))
    assert now.real and now.fake
    data, samples = seen[0].numpy() - 1, seen[1].numpy()
    for noise in (data, samples):
        assert noise.mean() == pytest.approx(0, abs=0.01) and noise.std() == pytest.approx(0.3, rel=0.02)
    assert abs(np.corrcoef(data.ravel(), samples.ravel())[0, 1]) < 0.03
    np.testing.assert_array_equal(samples, 0.3 * now.random.normal("instance_noise/samples", samples.shape))


def test_labelled_images_have_noise_too():
    labelled = tf.fill([toys.BATCH, 16, 16, 1], tf.constant(255, tf.uint8)), tf.zeros([toys.BATCH], tf.int32)
    now, seen = play(terms=(InstanceNoise(),), labelled=labelled)
    assert now.labelled and now.real and not np.allclose(seen[0], seen[1])


def test_it_fades_linearly_to_0():
    def sigma(step, **kwargs):
        now, seen = play(step, terms=(InstanceNoise(sigma=0.2, **kwargs),))
        assert now.fake
        logged = float(InstanceNoise(sigma=0.2, **kwargs).diagnostics(now, {})["discriminator/instance_noise"])
        assert seen[0].numpy().std() == pytest.approx(logged, rel=0.1)
        return logged

    assert [sigma(step, anneal_steps=10) for step in (0, 5, 10, 11)] == pytest.approx([0.2, 0.1, 0.0, 0.0])
    assert sigma(10**6) == pytest.approx(0.2)


def test_each_step_has_noise_of_its_own():
    shown = []
    for step in (0, 1):
        now, seen = play(step, terms=(InstanceNoise(),))
        assert now.fake
        shown.append(seen[0].numpy())
    assert not np.allclose(*shown)


def test_without_deviation_it_changes_nothing():
    states = []
    for terms in (("nonsaturating",), ("nonsaturating", "instance_noise")):
        trainer = toys.trainer(terms=terms, instance_noise={"sigma": 0.0, "anneal_steps": 0})
        toys.stepper(trainer, graph=False)(toys.batch())
        states.append(toys.state(trainer))
    assert states[0].keys() == states[1].keys()
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
