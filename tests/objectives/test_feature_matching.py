"""Feature matching beside the adversarial loss and in place of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm import recipes
from tfdfm.errors import UsageError
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.feature_matching import FeatureMatching
from tfdfm.objectives.feature_matching_game import FeatureMatchingGame
from tfdfm.objectives.minimax import Minimax

SCORES = tf.constant([0.5, -1.0])
REAL, FAKE = np.array([[1.0, 2.0, 0.0], [3.0, 4.0, 0.0]]), np.array([[0.0, 7.0, 0.0], [-2.0, 7.0, 0.0]])
BY_HAND = {"norm": 5.0, "squared": 25 / 3, "absolute": 7 / 3}  # the means are (2, 3, 0) and (-1, 7, 0)


def play(real, fake):
    real, fake = (tf.constant(features, tf.float32) for features in (real, fake))
    return SimpleNamespace(
        real=DiscriminatorOutput(SCORES, real), fake=DiscriminatorOutput(-SCORES, fake), step=tf.constant(0)
    )


def term(now, **kwargs):
    loss = FeatureMatching(**kwargs).generator_loss(now)["feature_matching"]
    assert loss.shape == ()
    return float(loss)


@pytest.mark.parametrize("distance", BY_HAND)
def test_values_by_hand(distance):
    assert term(play(REAL, FAKE), distance=distance) == pytest.approx(BY_HAND[distance])
    assert term(play(REAL, FAKE), distance=distance, weight=0.5) == pytest.approx(BY_HAND[distance] / 2)


@pytest.mark.parametrize("layer", [1, 2])
def test_any_layer_by_hand(layer):
    def shown(phi):
        maps = tf.reshape(tf.constant(phi, tf.float32), [2, 1, 3, 1])
        inner = [tf.zeros_like(maps)] * 2
        inner[layer - 1] = maps
        return DiscriminatorOutput(SCORES, tf.zeros([2, 5]), activations=tuple(inner))

    now = SimpleNamespace(real=shown(REAL), fake=shown(FAKE))
    for distance, expected in BY_HAND.items():
        assert term(now, distance=distance, layer=layer) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("network", "layer", "said"),
    [
        ("DCGAN", 5, "has 4 convolutions, given layer 5"),
        ("FullyConnected", 1, "needs the discriminator's activations"),
        ("DCGAN", -1, "at least 0, which is Phi, given -1"),
    ],
)
def test_a_layer_that_d_does_not_show_ends_before_training(network, layer, said):
    config = recipes.override(
        recipes.defaults(), {"terms": "nonsaturating,feature_matching", "feature_matching.layer": str(layer)}
    )
    found = {key: config[key] for key in ("terms", "feature_matching")}
    with pytest.raises(UsageError, match=said):
        toys.trainer(**found, discriminator=dict(network=network, width=4))


@pytest.mark.parametrize("distance", BY_HAND)
def test_batches_of_equal_means_match(distance):
    for fake in (REAL[::-1], np.tile(REAL.mean(0), [2, 1])):  # higher moments are not seen
        assert term(play(REAL, fake), distance=distance) == pytest.approx(0, abs=1e-6)


def test_the_gradient_at_equal_means_is_finite():
    features = tf.constant(REAL)
    with tf.GradientTape() as tape:
        tape.watch(features)
        now = SimpleNamespace(
            real=DiscriminatorOutput(SCORES, features), fake=DiscriminatorOutput(SCORES, features[::-1])
        )
        loss = FeatureMatching().generator_loss(now)["feature_matching"]
    assert np.isfinite(tape.gradient(loss, features)).all()


def test_in_place_of_the_adversarial_loss_d_plays_on():
    now, game = play(REAL, FAKE), FeatureMatchingGame()
    losses = game.generator_loss(now)
    assert set(losses) == {"feature_matching"} and float(losses["feature_matching"]) == pytest.approx(25 / 3)
    ours, usual = game.discriminator_loss(now), Minimax().discriminator_loss(now)
    assert ours.keys() == usual.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], usual[name])
    assert game.diagnostics(now, {}).keys() == Minimax().diagnostics(now, {}).keys()


@pytest.mark.parametrize(
    "terms", ["feature_matching_game,nonsaturating", "ebgan,began", "feature_matching", "pull_away,dfm"]
)
def test_a_recipe_has_one_game(terms):
    config = recipes.override(recipes.defaults(), {"terms": terms})
    with pytest.raises(UsageError, match="Expected one term that trains G by itself"):
        recipes.check(config)


def test_an_unknown_distance_is_an_error_that_lists_them():
    with pytest.raises(UsageError, match="one of norm, squared, absolute, given 'l3'"):
        FeatureMatching(distance="l3")
