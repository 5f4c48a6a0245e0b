"""Several noise levels: drawn log-uniformly, told to the denoiser, the weight of each; what does not fit is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.errors import UsageError
from tfdfm.networks.denoisers import ConvolutionalDenoiser, FullyConnectedDenoiser
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.dfm import DenoisingFeatureMatching
from tfdfm.objectives.dfm_difference import DenoisingFeatureDifference
from tfdfm.random import Random

LEVELS = {"sigma": 1.0, "sigma_least": 0.01}


class Told:
    """A denoiser that keeps what it was told and says what `function` makes of features and sigma."""

    def __init__(self, function=lambda phi, sigma: phi):
        self.function, self.sigmas = function, []

    def __call__(self, phi, statistics, sigma):
        self.sigmas.append(sigma.numpy())
        return self.function(phi, sigma)


def made_up(features, **networks):
    output = DiscriminatorOutput(None, tf.constant(features, tf.float32))
    zero = tf.constant(0, tf.int64)
    return SimpleNamespace(
        real=output,
        fake=output,
        networks=networks,
        random=Random(0, zero, zero),
        step=zero,
        tracked=None,
        untracked=None,
    )


def test_sigmas_are_log_uniform_and_the_noise_is_as_large_as_r_is_told():
    told = Told(lambda phi, sigma: phi * 0)
    loss = DenoisingFeatureMatching(**LEVELS).denoiser_loss(made_up(np.zeros([4000, 50]), denoiser=told))["dfm"]
    sigma = told.sigmas[0]
    assert sigma.shape == (4000, 1) and 0.01 <= sigma.min() < 0.0102 and 0.98 < sigma.max() <= 1.0
    np.testing.assert_allclose(np.quantile(np.log10(sigma), [0.25, 0.5, 0.75]), [-1.5, -1, -0.5], atol=0.05)
    assert loss.numpy().max() == 0  # r and the features are 0
    seen = []
    told = Told(lambda phi, sigma: seen.append(phi.numpy()) or phi)
    DenoisingFeatureMatching(**LEVELS).denoiser_loss(made_up(np.zeros([4000, 50]), denoiser=told))
    assert np.std(seen[0] / told.sigmas[0]) == pytest.approx(1.0, rel=0.01)
    assert np.corrcoef(np.std(seen[0], axis=1), told.sigmas[0][:, 0])[0, 1] > 0.98


def test_a_samples_term_has_the_weight_of_its_level():
    phi = np.random.default_rng(0).normal(size=(6, 5))
    told = Told(lambda phi, sigma: phi * 0)
    dfm = DenoisingFeatureMatching(weight=2.0, level_power=2.0, sigma=0.5, sigma_least=0.1)
    loss = dfm.generator_loss(made_up(phi, denoiser=told))["dfm"]
    expected = 2.0 / 5 * (phi**2).sum(1) * (0.5 / told.sigmas[0][:, 0]) ** 2
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert len(set(told.sigmas[0][:, 0])) == 6


def test_both_denoisers_of_the_difference_are_told_the_same():
    data, samples = Told(), Told()
    now = made_up(np.ones([6, 5]), denoiser=data, sample_denoiser=samples)
    DenoisingFeatureDifference(**LEVELS).generator_loss(now)
    np.testing.assert_array_equal(data.sigmas, samples.sigmas)


@pytest.mark.parametrize("kind", [FullyConnectedDenoiser, ConvolutionalDenoiser])
def test_what_r_is_told_changes_what_it_says(kind):
    network = kind((2, 2, 3), depth=1, width=8, told_sigma=True, seed=0)
    phi = tf.random.stateless_normal([4, 12], [1, 2])
    one, other, same = (network(phi, sigma=tf.fill([4, 1], sigma)) for sigma in (0.1, 3.0, 1.0))
    assert one.shape == (4, 12) and not np.allclose(one, other)
    np.testing.assert_array_equal(same, network(phi))  # log 1 is 0


@pytest.mark.parametrize("term", ["dfm", "dfm_difference"])
def test_a_step_trains_with_several_levels(term):
    trainer = toys.trainer(
        terms=("nonsaturating", term),
        denoiser={"network": "FullyConnected", "depth": 1, "width": 16, "told_sigma": True},
        **{term: LEVELS | {"level_power": 1.0}},
    )
    logs = toys.stepper(trainer)(toys.batch())
    assert np.isfinite(list(logs.values())).all() and logs["denoiser/dfm"] > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dfm": {"sigma_least": 2.0}}, "Expected sigma_least of dfm between 0 and sigma, 1.0; given 2.0"),
        ({"dfm": LEVELS | {"anneal_steps": 9}}, "Several noise levels are not annealed"),
        ({"dfm": LEVELS}, "Set --config.denoiser.told_sigma=True"),
        ({"denoiser": {"told_sigma": True}}, "Set --config.denoiser.told_sigma=False"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        toys.trainer(terms=("nonsaturating", "dfm"), **changes)
