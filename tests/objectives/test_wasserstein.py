"""The Wasserstein game and its clipped critic."""

import pytest
import tensorflow as tf
import toys

from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.wasserstein import Wasserstein


class Scored:
    """A play in which the critic has spoken."""

    real, fake = DiscriminatorOutput(tf.constant([1.0, 3.0])), DiscriminatorOutput(tf.constant([0.5, -0.5]))


def test_losses_are_means_of_scores():
    objective = Wasserstein()
    losses = objective.discriminator_loss(Scored)
    assert losses["data"].numpy().tolist() == [-1, -3] and losses["samples"].numpy().tolist() == [0.5, -0.5]
    assert objective.generator_loss(Scored)["wasserstein"].numpy().tolist() == [-0.5, 0.5]
    assert float(objective.diagnostics(Scored, {})["discriminator/distance"]) == 2


def test_weights_are_clipped_after_each_move_of_the_critic(monkeypatch):
    trainer, largest, clip = toys.trainer(terms=("wasserstein",), n_critic=2), [], Wasserstein.after_step

    def of(name):
        return max(float(tf.reduce_max(tf.abs(w.value))) for w in trainer.networks[name].trainable_variables)

    def after_step(objective, networks, logs, **how):
        added = clip(objective, networks, logs, **how)
        largest.append(of("discriminator"))
        return added

    monkeypatch.setattr(Wasserstein, "after_step", after_step)
    toys.stepper(trainer, graph=False)(toys.batch(size=2 * toys.BATCH))
    assert largest == pytest.approx([0.01, 0.01])
    assert of("generator") > 0.5  # gains of batch norm
