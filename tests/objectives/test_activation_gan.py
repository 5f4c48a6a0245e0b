"""The thesis's own system: eq. 21, and that what F says never reaches D."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.errors import UsageError
from tfdfm.networks.layers import BatchStatistics
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.activation_gan import ActivationGan
from tfdfm.objectives.nonsaturating import NonSaturating

NETWORK = dict(network="Iliescu", width=4)
RECIPE = dict(
    terms=("activation_gan",), generator=NETWORK, discriminator=NETWORK, separator=dict(network="Iliescu", width=4)
)
PLAIN = {**RECIPE, "terms": ("nonsaturating",)}
DATA, SAMPLES = np.array([0.0, np.log(3), -1.0]), np.array([0.0, -np.log(3), 2.0])


def play(trainer):
    return toys.forward(trainer, tracked=BatchStatistics(), untracked=BatchStatistics())


def values(network):
    return [w.value for w in network.trainable_variables]


@pytest.fixture(scope="module")
def trainer():
    return toys.trainer(**RECIPE)


def test_losses_by_hand():
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    separated = tf.constant(DATA, tf.float32), tf.constant(SAMPLES, tf.float32)
    output = DiscriminatorOutput(tf.constant([0.5, -0.5, 1.0]))
    now, game = SimpleNamespace(real=output, fake=output, separated=separated), ActivationGan()
    losses = game.separator_loss(now)
    np.testing.assert_allclose(losses["data"], -np.log(sigmoid(DATA)), rtol=1e-6)
    np.testing.assert_allclose(losses["samples"], -np.log(1 - sigmoid(SAMPLES)), rtol=1e-6)
    losses = game.generator_loss(now)
    np.testing.assert_allclose(losses["activations"], -np.log(sigmoid(SAMPLES)), rtol=1e-6)
    np.testing.assert_allclose(losses["activations"][:2], [np.log(2), np.log(4)], rtol=1e-6)
    np.testing.assert_array_equal(losses["nonsaturating"], NonSaturating().generator_loss(now)["nonsaturating"])
    found = game.diagnostics(now, {})
    assert float(found["separator/accuracy_data"]) == pytest.approx(1 / 3)
    assert float(found["separator/accuracy_samples"]) == pytest.approx(1 / 3)


def test_what_f_says_reaches_f_and_the_first_layers_of_g_and_never_d(trainer):
    with tf.GradientTape(persistent=True) as tape:
        now = play(trainer)
        of_separator = tf.add_n(list(ActivationGan().separator_loss(now).values()))
        of_generator = ActivationGan().generator_loss(now)["activations"]
    d, f, g = (trainer.networks[name] for name in ("discriminator", "separator", "generator"))
    assert tape.gradient(of_separator, values(d)) == tape.gradient(of_generator, values(d)) == [None] * len(values(d))
    assert all(np.any(gradient) for gradient in tape.gradient(of_separator, values(f)))
    first = [*values(g.project), *values(g.project_norm), *values(g.convs[0]), *values(g.norms[0])]
    later = [*values(g.convs[1]), *values(g.convs[2]), *values(g.last)]
    assert all(np.any(gradient) for gradient in tape.gradient(of_generator, first))
    assert tape.gradient(of_generator, later) == [None] * len(later)


def test_ds_update_is_that_of_the_game_without_f():
    with_f, without = (toys.trainer(**recipe) for recipe in (RECIPE, PLAIN))
    for made in (with_f, without):
        toys.stepper(made, graph=False)(toys.batch())
    ours, theirs = toys.state(with_f), toys.state(without)
    of_d = [name for name in theirs if name.startswith("discriminator")]
    assert len(of_d) > 20
    for name in of_d:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    assert not np.array_equal(ours["generator/000.kernel"], theirs["generator/000.kernel"])


def test_the_samples_are_gs_and_the_activations_are_of_the_same_pass(trainer):
    now = play(trainer)
    recorded = len(now.tracked.recorded)
    expected = trainer.networks["generator"](now.latents, statistics=BatchStatistics())
    np.testing.assert_array_equal(now.generated, expected)
    now.real, now.shown, now.separated  # noqa: B018
    norms = [4, 3, 1]  # G's, D's, F's
    assert len(now.tracked.recorded) - recorded == 2 * sum(norms)


def test_f_sees_the_normalised_conv3_of_d_and_conv2_of_g(trainer):
    now = play(trainer)
    d, g = trainer.networks["discriminator"], trainer.networks["generator"]
    data, samples = now.shown
    assert data.shape == samples.shape == (toys.BATCH, 2, 2, 16)  # of 16 pixels; 4x4 of 32
    x = now.images
    for place in range(3):
        x = d.convs[place](x if not place else tf.nn.leaky_relu(x, 0.2))
        x = d.norms[place - 1](x, statistics=BatchStatistics()) if place else x
    np.testing.assert_allclose(data, x, rtol=1e-4, atol=1e-5)
    x = g.project_norm(g.project(now.latents), statistics=BatchStatistics())
    x = g.convs[0](tf.nn.relu(tf.reshape(x, [toys.BATCH, 1, 1, 32])))
    np.testing.assert_allclose(samples, g.norms[0](x, statistics=BatchStatistics()), rtol=1e-4, atol=1e-5)
    assert np.min(data) < 0 and np.min(samples) < 0  # of both before the nonlinearity


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"discriminator": dict(network="FullyConnected", width=4)}, "needs the discriminator's normalised"),
        ({"generator": dict(network="BEGAN", width=4)}, "BEGAN shows no activations"),
        ({"generator": dict(network="Iliescu", width=8)}, r"\(2, 2, 16\) of the discriminator and \(2, 2, 32\) of the"),
    ],
)
def test_networks_that_do_not_fit_end_before_training(changes, said):
    with pytest.raises(UsageError, match=said):
        toys.trainer(**{**RECIPE, **changes})
