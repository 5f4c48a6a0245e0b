"""Denoising feature matching: what is constant to whom, where noise goes, and the scale (issue 2, point 1)."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.networks.layers import BatchStatistics
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.dfm import DenoisingFeatureMatching
from tfdfm.random import Random


@pytest.fixture(scope="module")
def trainer():
    made = toys.trainer(terms=("nonsaturating", "dfm"))
    step = toys.stepper(made, graph=False)
    step(toys.batch())  # away from the initial weights
    return made


def play(trainer, **kwargs):
    return toys.forward(trainer, tracked=BatchStatistics(), untracked=BatchStatistics(), **kwargs)


def values(network):
    return [w.value for w in network.trainable_variables]


def made_up(features, denoiser, step=0, **kwargs):
    """A play whose features are given."""
    output = DiscriminatorOutput(None, tf.constant(features, tf.float32))
    random = Random(0, tf.constant(step, tf.int64), tf.constant(0, tf.int64))
    networks = {"denoiser": lambda phi, statistics: denoiser(phi)}
    step = tf.constant(step, tf.int64)
    return SimpleNamespace(
        real=output, fake=output, networks=networks, random=random, step=step, tracked=None, untracked=None, **kwargs
    )


def test_the_generators_gradient_is_that_with_the_denoised_features_a_constant(trainer):
    weights, dfm = values(trainer.networks["generator"]), DenoisingFeatureMatching()
    with tf.GradientTape() as tape:
        ours = tf.reduce_mean(dfm.generator_loss(play(trainer))["dfm"])
    phi = play(trainer).fake.features
    constant = trainer.networks["denoiser"](phi, statistics=BatchStatistics()).numpy()
    with tf.GradientTape() as reference_tape:
        phi = play(trainer).fake.features
        reference = tf.reduce_mean(0.03 * tf.reduce_mean((phi - constant) ** 2, axis=1))
    gradients, expected = tape.gradient(ours, weights), reference_tape.gradient(reference, weights)
    assert float(ours) == pytest.approx(float(reference), rel=1e-6)
    assert max(np.abs(g).max() for g in expected) > 1e-4
    for gradient, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-7)


def test_nothing_flows_through_r(trainer):
    with tf.GradientTape(persistent=True) as tape:
        now = play(trainer)
        phi = now.fake.features
        loss = DenoisingFeatureMatching().generator_loss(now)["dfm"]
    assert tape.gradient(loss, values(trainer.networks["denoiser"])) == [None] * len(
        values(trainer.networks["denoiser"])
    )
    target = trainer.networks["denoiser"](phi, statistics=BatchStatistics())
    np.testing.assert_allclose(tape.gradient(loss, phi), 0.06 / phi.shape[1] * (phi - target), rtol=1e-4, atol=1e-7)


def test_the_denoisers_loss_moves_no_weight_of_phi(trainer):
    with tf.GradientTape(persistent=True) as tape:
        loss = DenoisingFeatureMatching().denoiser_loss(play(trainer))["dfm"]
    for name in ("discriminator", "generator"):
        weights = values(trainer.networks[name])
        assert tape.gradient(loss, weights) == [None] * len(weights)
    assert all(g is not None for g in tape.gradient(loss, values(trainer.networks["denoiser"])))


def test_the_discriminators_update_does_not_change_when_dfm_is_switched_on():
    with_dfm, without = (toys.trainer(terms=terms) for terms in (("nonsaturating", "dfm"), ("nonsaturating",)))
    for trainer in (with_dfm, without):
        toys.stepper(trainer, graph=False)(toys.batch())
    ours, theirs = toys.state(with_dfm), toys.state(without)
    of_discriminator = [name for name in theirs if name.startswith("discriminator")]
    assert len(of_discriminator) > 30
    for name in of_discriminator:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    generator = [name for name in theirs if name.startswith("generator/")]
    assert not all(np.array_equal(ours[name], theirs[name]) for name in generator)


def test_noise_is_added_to_features_of_data_only(trainer):
    seen, sigma = [], 0.5
    now = play(trainer)
    now.networks = now.networks | {"denoiser": lambda phi, statistics: seen.append((phi, statistics)) or phi}
    dfm = DenoisingFeatureMatching(sigma=sigma)
    dfm.denoiser_loss(now)
    dfm.generator_loss(now)
    (data, kept), (samples, dropped) = seen
    noise = now.random.normal("corruption", now.real.features.shape)
    np.testing.assert_array_equal(data, now.real.features + sigma * noise)
    np.testing.assert_array_equal(samples, now.fake.features)
    assert kept is now.tracked and dropped is now.untracked


@pytest.mark.parametrize("features", [1, 7, 2048])
def test_the_term_is_003_over_nh_times_the_squared_norm_whatever_the_width(features):
    phi = np.tile(np.arange(4.0)[:, None], [1, features])
    loss = DenoisingFeatureMatching().generator_loss(made_up(phi, lambda phi: 0 * phi))["dfm"]
    np.testing.assert_allclose(loss, 0.03 / features * (phi**2).sum(1), rtol=1e-5)
    np.testing.assert_allclose(loss, 0.03 * np.arange(4.0) ** 2, rtol=1e-5)


def test_the_denoisers_loss_is_the_squared_norm_to_the_clean_features():
    phi = np.random.default_rng(0).normal(size=(5, 6))
    loss = DenoisingFeatureMatching(sigma=0.0).denoiser_loss(made_up(phi, lambda phi: 3 * phi))["dfm"]
    np.testing.assert_allclose(loss, 4 * (phi**2).sum(1), rtol=1e-5)
    zeros = made_up(np.zeros([4000, 6]), lambda phi: phi)
    loss = DenoisingFeatureMatching(sigma=2.0).denoiser_loss(zeros)["dfm"]  # the noise itself
    assert float(tf.reduce_mean(loss)) == pytest.approx(6 * 2.0**2, rel=0.03)


def test_sigma_is_fixed_or_falls_linearly_to_zero():
    def sigma(step, **kwargs):
        dfm, now = DenoisingFeatureMatching(**kwargs), made_up(np.ones([2, 3]), lambda phi: phi, step)
        return float(dfm.diagnostics(now, {"denoiser": dfm.denoiser_loss(now)})["denoiser/sigma"])

    assert [sigma(step) for step in (0, 10**6)] == [1.0, 1.0]
    assert [sigma(s, sigma=2.0, anneal_steps=10) for s in (0, 5, 10, 11)] == pytest.approx([2.0, 1.0, 0.0, 0.0])


def test_diagnostics_show_the_features_scale_and_the_denoisers_worth():
    phi = np.random.default_rng(0).normal(size=(64, 6)) * [1, 1, 1, 2, 2, 2] + 5
    dfm = DenoisingFeatureMatching(sigma=0.0)

    def diagnose(denoiser):
        now = made_up(phi, denoiser)
        found = dfm.diagnostics(now, {"denoiser": dfm.denoiser_loss(now)})
        return [float(found[f"denoiser/{name}"]) for name in ("feature_deviation", "unexplained_variance")]

    mean = tf.constant(phi.mean(0), tf.float32)
    assert diagnose(lambda phi: phi) == pytest.approx([np.sqrt(phi.var(0).mean()), 0.0])
    assert diagnose(lambda phi: 0 * phi + mean)[1] == pytest.approx(1.0, rel=1e-5)
    assert diagnose(lambda phi: 0.5 * (phi + mean))[1] == pytest.approx(0.25, rel=1e-5)
