"""Denoising feature matching on scales of its own: whitened features, balanced gradients, two denoisers."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.errors import UsageError
from tfdfm.networks.denoisers import FullyConnectedDenoiser
from tfdfm.networks.layers import BatchStatistics
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.dfm import DenoisingFeatureMatching
from tfdfm.objectives.dfm_difference import DenoisingFeatureDifference
from tfdfm.random import Random

WHITE = {"denoiser": {"network": "FullyConnected", "depth": 2, "width": 16, "whiten": True}}
DIFFERENCE = {"terms": ("nonsaturating", "dfm_difference")}


def test_whitened_features_are_on_the_datas_running_scale_for_data_and_samples_alike():
    denoiser = FullyConnectedDenoiser((1, 1, 4), depth=1, width=8, whiten=True, seed=0)
    phi = tf.constant(np.random.default_rng(0).normal(3, 2, [64, 4]), tf.float32)
    np.testing.assert_allclose(denoiser.scaled(phi), phi, rtol=1e-4)  # mean 0, variance 1 before the first step
    statistics = BatchStatistics()
    denoiser.scaled(phi, statistics)
    (_, mean), (_, variance) = statistics.recorded
    denoiser.whitening.mean.assign(mean)
    denoiser.whitening.variance.assign(variance)
    white = denoiser.scaled(phi).numpy()
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(white.std(0, ddof=1), 1, rtol=1e-4)
    np.testing.assert_allclose(denoiser.scaled(phi[:1] + 1), white[:1] + 1 / np.sqrt(variance), rtol=1e-3, atol=1e-5)


def test_a_whitening_denoiser_learns_the_scale_from_data_alone():
    trainer = toys.trainer(**WHITE)
    whitening = trainer.networks["denoiser"].whitening
    phi = toys.forward(trainer, tracked=BatchStatistics(), untracked=BatchStatistics()).real.features.numpy()
    toys.stepper(trainer)(toys.batch())
    np.testing.assert_allclose(whitening.mean.numpy(), 0.01 * phi.mean(0), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(whitening.variance.numpy(), 0.99 + 0.01 * phi.var(0, ddof=1), rtol=1e-4)


def test_without_whitening_a_denoiser_has_no_more_state_than_before():
    names = set(toys.state(toys.trainer()))
    assert not any("whiten" in name for name in names)
    assert len(toys.state(toys.trainer(**WHITE))) == len(names) + 2


@pytest.mark.parametrize("ratio", [0.1, 1.0])
def test_the_weight_follows_until_the_gradients_have_the_ratio(ratio):
    """Networks that hardly move: after 300 steps the norms' ratio is what was asked for, from the paper's 0.03 on."""
    trainer = toys.trainer(dfm={"gradient_ratio": ratio}, optimizer={"learning_rate": 1e-7}, log_every=3)
    step, weights = toys.stepper(trainer), []
    for _ in range(301):
        logs = step(toys.batch())
        weights.append(logs["generator/dfm_weight"])
    found = logs["generator/gradient_norm_dfm"] / logs["generator/gradient_norm_nonsaturating"]
    assert found == pytest.approx(ratio, rel=0.25)
    assert weights[0] == weights[9] != weights[10] == weights[11]  # it moves every tenth step, whenever is logged
    assert toys.state(trainer)["dfm/000.balance"] == pytest.approx(weights[-1])  # saved with the run


def test_a_ratio_needs_the_norms():
    with pytest.raises(UsageError, match="synchronised does not measure. Set --config.dfm.gradient_ratio=0"):
        toys.trainer(dfm={"gradient_ratio": 0.1}, batch_norm="synchronised")


def play(features, of_data, of_samples):
    output = DiscriminatorOutput(None, tf.constant(features, tf.float32))
    networks = {
        "denoiser": lambda phi, statistics: of_data(phi),
        "sample_denoiser": lambda phi, statistics: of_samples(phi),
    }
    zero = tf.constant(0, tf.int64)
    random = Random(0, zero, zero)
    return SimpleNamespace(
        real=output, fake=output, networks=networks, random=random, step=zero, tracked=None, untracked=None
    )


def test_the_difference_is_a_weighted_squared_distance_of_the_two_answers():
    """Phi - target = s(Phi) - r(Phi), whatever Phi; the weight is over F."""
    phi = np.random.default_rng(0).normal(size=[5, 4])
    now = play(phi, lambda x: 0.5 * x, lambda x: 0.25 * x + 1)
    found = DenoisingFeatureDifference(weight=0.3).generator_loss(now)["dfm"]
    np.testing.assert_allclose(found, 0.3 / 4 * ((0.25 * phi - 1) ** 2).sum(1), rtol=1e-5)


def test_where_both_denoisers_agree_nothing_pulls_and_one_alone_pulls_to_the_mean():
    """Gaussian features N(0, 1), samples as well: the best denoiser at sigma = 1 is x / 2, and DFM shrinks by it."""
    phi = np.random.default_rng(0).normal(size=[1000, 4])
    now = play(phi, lambda x: x / 2, lambda x: x / 2)
    assert float(tf.reduce_max(DenoisingFeatureDifference().generator_loss(now)["dfm"])) == pytest.approx(0, abs=1e-9)
    assert float(tf.reduce_mean(DenoisingFeatureMatching(weight=1.0).generator_loss(now)["dfm"])) == pytest.approx(
        0.25, rel=0.1
    )


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.whole)])
def test_both_denoisers_learn_each_its_own(jit):
    trainer = toys.trainer(**DIFFERENCE, jit=jit)
    networks = trainer.networks
    before = {name: networks[name].last.kernel.numpy() for name in ("denoiser", "sample_denoiser")}
    assert not np.allclose(*before.values())  # other initial weights
    logs = toys.stepper(trainer)(toys.batch())
    assert logs["first_bad_step"] == -1
    assert logs["denoiser/dfm"] != logs["sample_denoiser/dfm"] > 0
    assert all((networks[name].last.kernel.numpy() != old).any() for name, old in before.items())
