"""The variational autoencoder: its bound by hand and in NumPy, and what no discriminator means."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.errors import UsageError
from tfdfm.objectives.vae import Inference, Variational, kl_to_prior
from tfdfm.random import Random
from tfdfm.runs import run

RECIPE = dict(
    terms=("vae",),
    prior="normal",
    generator=dict(network="Iliescu", width=4),
    encoder=dict(network="Iliescu", width=4),
)


def test_the_priors_divergence_from_itself_is_0_and_its_least():
    mean = log_sigma = tf.zeros([3, 5])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([mean, log_sigma])
        divergence = kl_to_prior(mean, log_sigma)
    np.testing.assert_array_equal(divergence, np.zeros(3))
    assert not np.any(tape.gradient(divergence, [mean, log_sigma]))


def test_divergences_by_hand():
    means = tf.constant([[1.0, 0.0], [0.0, 0.0], [2.0, -2.0]])
    sigmas = tf.constant([[1.0, 1.0], [2.0, 1.0], [0.5, 1.0]])
    expected = [0.5, 0.5 * (4 - 1) - np.log(2), 4 + 0.5 * (0.25 - 1) + np.log(2)]
    np.testing.assert_allclose(kl_to_prior(means, tf.math.log(sigmas)), expected, rtol=1e-6)


def test_divergences_against_an_integral():
    z = np.linspace(-12, 12, 100_001)
    for mean, sigma in ((0.3, 0.7), (-1.5, 1.4)):
        q = np.exp(-((z - mean) ** 2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
        log_p = -(z**2) / 2 - np.log(2 * np.pi) / 2
        integral = np.sum(q * (np.log(q + 1e-300) - log_p)) * (z[1] - z[0])
        ours = kl_to_prior(tf.constant([[mean]]), tf.math.log([[sigma]]))
        assert float(ours[0]) == pytest.approx(integral, rel=1e-5)


def test_the_reconstruction_is_the_sum_of_squares_over_pixels():
    rng = np.random.default_rng(0)
    images, reconstructed = (rng.uniform(-1, 1, (3, 4, 4, 2)).astype(np.float32) for _ in range(2))
    posterior = tf.zeros([3, 2]), tf.zeros([3, 2])
    losses = Variational().generator_loss(
        SimpleNamespace(images=images, reconstructed=reconstructed, posterior=posterior)
    )
    np.testing.assert_allclose(losses["reconstruction"], ((images - reconstructed) ** 2).sum((1, 2, 3)), rtol=1e-5)
    assert losses.keys() == {"reconstruction", "kl"} and losses["kl"].shape == (3,)


def test_codes_are_drawn_from_the_posterior_of_each_image():
    rng = np.random.default_rng(0)
    mean, sigma = rng.normal(size=(4, 6)).astype(np.float32), rng.uniform(0.5, 2, (4, 6)).astype(np.float32)
    random = Random(0, tf.constant(3, tf.int64), tf.constant(0, tf.int64))
    networks = {
        "encoder": lambda images, statistics: (tf.constant(mean), tf.math.log(sigma)),
        "generator": lambda codes, labels, statistics: codes * 2,
    }
    images = tf.zeros([4, 2, 2, 1], tf.uint8)
    forward = Inference(networks, images, None, random=random, latent=(6, "normal"), step=tf.constant(3))
    np.testing.assert_allclose(forward.codes, mean + sigma * random.normal("codes", [4, 6]), rtol=1e-5)
    np.testing.assert_array_equal(forward.reconstructed, forward.codes * 2)
    assert not np.allclose(random.normal("codes", [4, 6]), forward.latents)


def test_one_player_owns_encoder_and_generator_and_all_their_weights_move():
    trainer = toys.trainer(**RECIPE)
    assert [player.name for player in trainer.joint_update.players] == ["generator"]
    assert trainer.networks.keys() == {"generator", "encoder"}
    before = toys.state(trainer)
    logs = toys.stepper(trainer)(toys.batch())
    after = toys.state(trainer)
    weights = [key for key in before if key.startswith(("generator/", "encoder/"))]
    assert len(weights) > 30 and not any(np.array_equal(before[key], after[key]) for key in weights)
    assert logs["generator/gradient_norm_kl"] > 0 and not any(key.startswith("discriminator") for key in logs)


def test_reconstructions_are_of_the_posteriors_mean_and_alike_at_every_call():
    trainer = toys.trainer(**RECIPE)
    pixels = toys.batch()["images"]
    mean, _ = trainer.networks["encoder"](pixels / np.float32(127.5) - 1)
    np.testing.assert_allclose(trainer.reconstructions(pixels), trainer.networks["generator"](mean), atol=1e-6)


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("dfm", "'dfm' needs the discriminator's features"),
        ("gradient_penalty", "'gradient_penalty' needs the discriminator's score"),
        ("instance_noise", "'instance_noise' needs the discriminator's score"),
    ],
)
def test_what_needs_a_discriminator_ends_before_training(term, said):
    with pytest.raises(UsageError, match=said):
        toys.trainer(**{**RECIPE, "terms": ("vae", term)})


def test_keys_that_make_no_sense_end_before_training():
    with pytest.raises(UsageError, match="no discriminator that could take steps by itself, given n_critic=5"):
        toys.recipe(**RECIPE, n_critic=5)
    with pytest.raises(UsageError, match="--config.prior=normal"):
        toys.trainer(**{**RECIPE, "prior": "uniform"})
    with pytest.raises(UsageError, match="takes no labels"):
        toys.trainer(**RECIPE, conditional=True)


def test_a_resolved_recipe_has_the_networks_that_are_played():
    config, _ = run.resolve(toys.recipe(dataset="digits", **RECIPE))
    assert "discriminator" not in config and "denoiser" not in config and "separator" not in config
    assert config.encoder.to_dict() == {"network": "Iliescu", "width": 4, "depth": 4}
