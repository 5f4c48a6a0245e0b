"""Adversarially learned inference: losses, who sees which pair, and whom each term reaches."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.errors import UsageError
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.ali import AdversariallyLearnedInference, Joint
from tfdfm.objectives.dfm import DenoisingFeatureMatching
from tfdfm.objectives.minimax import Minimax
from tfdfm.random import Random

REAL, FAKE = np.array([0.0, np.log(3), -1.0]), np.array([0.0, -np.log(3), 2.0])
FORWARD = SimpleNamespace(
    real=DiscriminatorOutput(tf.constant(REAL, tf.float32)), fake=DiscriminatorOutput(tf.constant(FAKE, tf.float32))
)
ALI = dict(network="ALI", width=4)
RECIPE = dict(terms=("ali",), prior="normal", image_size=32, generator=ALI, encoder=ALI, discriminator=ALI)
NOW = tf.constant(0, tf.int64)


def softplus(x):
    return np.log1p(np.exp(x))


def play(trainer):
    images = np.random.default_rng(0).integers(0, 256, (toys.BATCH, 32, 32, 1), dtype=np.uint8)
    latent = (toys.LATENTS, "normal")
    return Joint(trainer.networks, tf.constant(images), None, random=Random(0, NOW, NOW), latent=latent, step=NOW)


@pytest.fixture(scope="module")
def trainer():
    return toys.trainer(**{**RECIPE, "terms": ("ali", "dfm")})


def test_losses_are_algorithm_1s():
    ours, game = AdversariallyLearnedInference().generator_loss(FORWARD), AdversariallyLearnedInference()
    np.testing.assert_allclose(ours["inference"], softplus(REAL), rtol=1e-6)
    np.testing.assert_allclose(ours["generation"], softplus(-FAKE), rtol=1e-6)
    np.testing.assert_allclose(ours["inference"][:2], [np.log(2), np.log(4)], rtol=1e-6)  # by hand
    for name, value in game.discriminator_loss(FORWARD).items():
        np.testing.assert_array_equal(value, Minimax().discriminator_loss(FORWARD)[name])


def test_the_players_losses_are_each_others_with_ds_answers_swapped():
    swapped = SimpleNamespace(real=FORWARD.fake, fake=FORWARD.real)
    ours, theirs = AdversariallyLearnedInference().generator_loss(FORWARD), Minimax().discriminator_loss(swapped)
    np.testing.assert_allclose(ours["inference"], theirs["samples"])
    np.testing.assert_allclose(ours["generation"], theirs["data"])


def test_d_sees_data_with_inferred_codes_and_samples_with_their_latents():
    seen = []
    networks = {
        "encoder": lambda images, statistics: (tf.fill([4, 6], 3.0), tf.fill([4, 6], -100.0)),
        "generator": lambda latents, labels, statistics: latents + 1,
        "discriminator": lambda images, codes, **_: seen.append((images, codes)),
    }
    images = tf.zeros([4, 2, 2, 1], tf.uint8)
    now = Joint(networks, images, None, random=Random(0, NOW, NOW), latent=(6, "normal"), step=NOW)
    assert now.real is now.fake is None
    (data, inferred), (samples, latents) = seen
    np.testing.assert_array_equal(data, now.images)
    np.testing.assert_array_equal(inferred, np.full([4, 6], 3.0))
    np.testing.assert_array_equal(latents, now.latents)
    np.testing.assert_array_equal(samples, now.latents + 1)


def test_each_term_reaches_its_half_of_the_player(trainer):
    game = AdversariallyLearnedInference()
    with tf.GradientTape(persistent=True) as tape:
        losses = game.generator_loss(play(trainer))
    for term, reached, other in (("inference", "encoder", "generator"), ("generation", "generator", "encoder")):
        weights = {name: [w.value for w in trainer.networks[name].trainable_variables] for name in (reached, other)}
        assert all(g is not None and np.any(g) for g in tape.gradient(losses[term], weights[reached]))
        assert tape.gradient(losses[term], weights[other]) == [None] * len(weights[other])


def test_dfm_draws_the_joint_features_of_samples_and_tells_the_encoder_nothing(trainer):
    with tf.GradientTape(persistent=True) as tape:
        loss = DenoisingFeatureMatching().generator_loss(play(trainer))["dfm"]
    encoder, generator = (
        [w.value for w in trainer.networks[name].trainable_variables] for name in ("encoder", "generator")
    )
    assert tape.gradient(loss, encoder) == [None] * len(encoder)
    assert all(g is not None for g in tape.gradient(loss, generator))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"discriminator": dict(network="DCGAN", width=4)},
            "images with their codes, and DCGAN takes them without",
        ),
        ({"terms": ("nonsaturating",), "generator": dict(network="DCGAN", width=4)}, "and ALI takes them with"),
        ({"terms": ("ali", "gradient_penalty")}, "'gradient_penalty' shows the discriminator images without codes"),
        ({"image_size": 16}, "ALI are for 32 pixels.* Given 16"),
        ({"prior": "uniform"}, "--config.prior=normal"),
        ({"conditional": True}, "takes no labels"),
    ],
)
def test_combinations_that_make_no_sense_end_before_training(changes, said):
    with pytest.raises(UsageError, match=said):
        toys.trainer(**{**RECIPE, **changes})
