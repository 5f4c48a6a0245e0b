"""Boundary equilibrium GAN: its losses by hand, k_t and the convergence measure."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.began import BoundaryEquilibrium

REAL, FAKE = np.array([0.4, 0.2], np.float32), np.array([0.1, 0.3], np.float32)
FORWARD = SimpleNamespace(real=DiscriminatorOutput(tf.constant(REAL)), fake=DiscriminatorOutput(tf.constant(FAKE)))
RECIPE = dict(
    terms=("began",),
    generator=dict(network="BEGAN", width=4),
    discriminator=dict(network="BEGAN", width=4),
)


def after(game, data, samples):
    logs = {"discriminator/data": tf.constant(data), "generator/began": tf.constant(samples)}
    game.after_step({}, logs, moved={"generator", "discriminator"})
    return float(game.k.numpy())


def test_losses_by_hand():
    game = BoundaryEquilibrium()
    game.k.assign(0.5)
    losses = game.discriminator_loss(FORWARD)
    np.testing.assert_allclose(losses["data"], REAL)
    np.testing.assert_allclose(losses["samples"], [-0.05, -0.15])
    np.testing.assert_allclose(game.generator_loss(FORWARD)["began"], FAKE)


def test_the_convergence_measure_by_hand():
    for data, samples, expected in ((0.3, 0.2, 0.3 + abs(0.5 * 0.3 - 0.2)), (0.0, 0.0, 0.0)):
        logs = {"discriminator/data": tf.constant(data), "generator/began": tf.constant(samples)}
        found = BoundaryEquilibrium(gamma=0.5).after_step({}, logs, moved={"generator", "discriminator"})
        assert float(found["discriminator/convergence"]) == pytest.approx(expected)


def test_k_moves_towards_the_balance():
    game = BoundaryEquilibrium(gamma=0.5, lambda_k=0.1)
    assert float(game.k.numpy()) == 0
    assert after(game, 1.0, 0.2) == pytest.approx(0.03)  # samples are reproduced too well: D is to push them away
    assert after(game, 1.0, 0.5) == pytest.approx(0.03)  # balanced
    assert after(game, 1.0, 0.6) == pytest.approx(0.02)


def test_k_stays_between_0_and_1():
    game = BoundaryEquilibrium(lambda_k=0.7)
    assert [after(game, *losses) for losses in ((0.0, 1.0), (4.0, 0.0), (4.0, 0.0), (0.0, 9.0))] == [0, 1, 1, 0]


def test_k_waits_for_g():
    game = BoundaryEquilibrium()
    game.after_step({}, {"discriminator/data": tf.constant(1.0)}, moved={"discriminator"})
    assert game.k.numpy() == 0


def test_ks_of_a_run_follow_the_losses_that_it_logged_and_are_saved():
    trainer = toys.trainer(began={"gamma": 0.5, "lambda_k": 0.1}, **RECIPE)
    step, k = toys.stepper(trainer, graph=False), 0.0
    for number in range(3):
        logs = step(toys.batch(number))
        assert logs["discriminator/k"] == pytest.approx(k, abs=1e-6)
        k = np.clip(k + 0.1 * (0.5 * logs["discriminator/data"] - logs["generator/began"]), 0, 1)
        assert float(trainer.variables_by_name()["began/000.k"].numpy()) == pytest.approx(k, abs=1e-6)
    assert 0 < k < 1


def test_k_is_the_global_batchs_on_every_replica():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
    one, two = (toys.trainer(where, **RECIPE) for where in (None, strategy))
    logs, others = toys.stepper(one)(toys.batch()), toys.replicated(two, strategy)(toys.batch())
    assert others["discriminator/convergence"] == pytest.approx(logs["discriminator/convergence"], rel=1e-4)
    k = two.variables_by_name()["began/000.k"]
    expected = float(one.variables_by_name()["began/000.k"].numpy())
    assert expected > 0
    for replica in strategy.experimental_local_results(k):
        assert float(replica.numpy()) == pytest.approx(expected, rel=1e-4)
