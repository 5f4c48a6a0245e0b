"""Terms that couple the examples of a batch: two replicas give the mean over their halves."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.objectives.pull_away import PullAway

RECIPES = {
    "pull_away": dict(
        terms=("ebgan", "pull_away"), discriminator=dict(network="FullyConnectedAutoencoder", depth=2, width=6)
    ),
    "feature_matching": dict(terms=("nonsaturating", "feature_matching")),
    "feature_matching_game": dict(terms=("feature_matching_game",)),
}


def halves(**recipe):
    """What each half of the batch says by itself, on one replica."""
    trainer, size = toys.trainer(batch_size=toys.BATCH // 2, **recipe), toys.BATCH // 2
    batches = [{"images": tf.constant(part)} for part in np.split(toys.batch()["images"], 2)]
    step, places = tf.constant(0, tf.int64), [tf.constant(place, tf.int64) for place in (0, size)]
    return [trainer.joint_update.gradients(batch, step, place) for batch, place in zip(batches, places, strict=True)]


@pytest.mark.parametrize("term", RECIPES)
def test_two_replicas_are_the_mean_over_their_halves(term):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
    trainer = toys.trainer(strategy, **RECIPES[term])
    logs = toys.replicated(trainer, strategy)(toys.batch())
    a, b = halves(**RECIPES[term])
    for loss in trainer.loss_names:
        assert logs[loss] == pytest.approx(float(a.logs[loss] + b.logs[loss]) / 2, rel=1e-4), loss
    for player in trainer.joint_update.players:
        gradients = zip(a.of_players[player.name], b.of_players[player.name], strict=True)
        for m, (of_a, of_b) in zip(player.optimizer._momentums, gradients, strict=True):
            expected = (of_a + of_b).numpy() / 4  # (1 - beta_1) times the mean
            np.testing.assert_allclose(m.numpy(), expected, rtol=0, atol=1e-5 * np.abs(expected).max() + 1e-9)


def test_the_whole_batch_on_one_replica_says_something_else():
    """Else the test above could not tell whether the halves were kept apart."""
    for term, recipe in RECIPES.items():
        whole = toys.stepper(toys.trainer(**recipe), graph=False)(toys.batch())
        loss = f"generator/{term.removesuffix('_game')}"
        assert whole[loss] != pytest.approx(sum(float(half.logs[loss]) for half in halves(**recipe)) / 2, rel=1e-3)


def test_pulling_away_by_hand():
    """Of three samples' features two point the same way, the third is at right angles to both: 1 of 3 pairs."""
    features = tf.constant([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0]])
    loss = PullAway(0.6).generator_loss(SimpleNamespace(fake=SimpleNamespace(features=features)))
    assert float(loss["pull_away"]) == pytest.approx(0.2)
