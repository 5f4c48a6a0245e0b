"""Classes from few labels: the losses of improved GAN and of a ladder within EBGAN."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm import recipes
from tfdfm.errors import UsageError
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.classification import Classification
from tfdfm.objectives.ebgan import EnergyBased
from tfdfm.objectives.feature_matching_game import FeatureMatchingGame
from tfdfm.objectives.historical_averaging import HistoricalAveraging
from tfdfm.runs import run


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def output(logits):
    logits = tf.constant(logits, tf.float32)
    return DiscriminatorOutput(tf.reduce_logsumexp(logits, axis=1), None, logits)


def test_ds_losses_are_those_of_a_softmax_over_one_class_more_times_one_half():
    rng = np.random.default_rng(0)
    data, samples = rng.normal(size=(2, 4, 5)) * 2
    game = FeatureMatchingGame(discriminator_weight=0.5)
    losses = game.discriminator_loss(SimpleNamespace(real=output(data), fake=output(samples)))
    real, fake = (log_softmax(np.concatenate([logits, np.zeros([4, 1])], axis=1)) for logits in (data, samples))
    np.testing.assert_allclose(losses["data"], -0.5 * np.log(np.exp(real[:, :5]).sum(1)), rtol=1e-6)
    np.testing.assert_allclose(losses["samples"], -0.5 * fake[:, 5], rtol=1e-6)


def test_the_class_loss_by_hand_and_its_accuracy():
    logits = np.log([[1.0, 1.0, 2.0], [3.0, 0.5, 0.5]]).astype(np.float32)
    forward = SimpleNamespace(labelled=(output(logits), tf.constant([2, 1])))
    term = Classification(weight=2.0)
    np.testing.assert_allclose(
        term.discriminator_loss(forward)["classification"], [2 * np.log(2), 2 * np.log(8)], rtol=1e-6
    )
    assert float(term.diagnostics(forward, {})["discriminator/accuracy_labelled"]) == 0.5


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


def test_the_history_is_the_mean_of_all_weights_so_far():
    trainer = toys.trainer(terms=("nonsaturating", "historical_averaging"))
    term, kernel = trainer.joint_update.objectives["historical_averaging"], trainer.networks["generator"].project.kernel
    seen, step = [kernel.numpy()], toys.stepper(trainer)
    for number in range(3):
        logs = step(toys.batch(number))
        if number == 0:
            assert logs["generator/historical_averaging"] == 0  # the history is the start
        seen.append(kernel.numpy())
        np.testing.assert_allclose(term.means["generator"][0].numpy(), np.mean(seen, axis=0), atol=1e-6)
    assert logs["generator/historical_averaging"] > 0


def test_the_distance_from_the_history_by_hand():
    weights = {"generator": [tf.constant([1.0, 5.0])], "discriminator": [tf.constant([[2.0]])]}
    networks = {
        name: SimpleNamespace(trainable_variables=[SimpleNamespace(value=w, numpy=w.numpy) for w in of])
        for name, of in weights.items()
    }
    term = HistoricalAveraging(weight=0.5)
    term.build(networks)
    term.means["generator"][0].assign([0.0, 2.0])
    forward = SimpleNamespace(networks=networks)
    assert float(term.generator_loss(forward)["historical_averaging"]) == 0.5 * (1 + 9)
    assert float(term.discriminator_loss(forward)["historical_averaging"]) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_labelled": 50}, "batches of 100 labelled images, given num_labelled=50"),
        ({"num_labelled": 0}, "batches of 100 labelled images, given num_labelled=0"),
        ({"dataset": "stl10", "image_size": 32}, "num_labelled=100 needs labels, and stl10 has none"),
        ({"terms": ("feature_matching_game",)}, "No term of this recipe learns from labels"),
    ],
)
def test_labels_that_cannot_be_are_an_error_before_training(changes, message):
    config = recipes.recipe("mnist_improved_ssl")
    config.update(changes)
    with pytest.raises(UsageError, match=message):
        run.resolve(config)


def test_a_discriminator_given_labels_may_not_miss_some_of_the_datas():
    config = recipes.recipe("digits_conditional")
    config.num_labelled = 100
    with pytest.raises(UsageError, match="num_labelled=100 leaves images without a label.*--config.num_labelled=0"):
        run.resolve(config)


def test_a_test_error_needs_a_discriminator_that_classifies():
    config = recipes.recipe("digits")
    config.test_every = 10
    with pytest.raises(UsageError, match="test_every=10 needs a discriminator that tells classes"):
        run.resolve(config)
