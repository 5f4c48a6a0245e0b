"""The games of G against D, against values worked by hand, and how objectives are found."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm import objectives, recipes
from tfdfm.errors import UsageError
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.base import Objective
from tfdfm.objectives.dfm import DenoisingFeatureMatching
from tfdfm.objectives.hinge import Hinge
from tfdfm.objectives.least_squares import LeastSquares
from tfdfm.objectives.minimax import Minimax
from tfdfm.objectives.nonsaturating import NonSaturating
from tfdfm.objectives.relativistic import Relativistic
from tfdfm.training import build

REAL, FAKE = np.array([0.0, np.log(3), -1.0]), np.array([0.0, -np.log(3), 2.0])
FORWARD = SimpleNamespace(
    real=DiscriminatorOutput(tf.constant(REAL, tf.float32)),
    fake=DiscriminatorOutput(tf.constant(FAKE, tf.float32)),
    step=tf.constant(0),
)
README = Path(__file__).parents[2] / "README.md"


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def check(losses, expected):
    assert losses.keys() == expected.keys()
    for name, value in losses.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-6)


def test_minimax():
    check(
        Minimax().discriminator_loss(FORWARD),
        {"data": -np.log(sigmoid(REAL)), "samples": -np.log(1 - sigmoid(FAKE))},
    )
    losses = Minimax().generator_loss(FORWARD)
    check(losses, {"minimax": np.log(1 - sigmoid(FAKE))})
    np.testing.assert_allclose(losses["minimax"][:2], [np.log(0.5), np.log(0.75)], rtol=1e-6)  # by hand


def test_nonsaturating():
    check(NonSaturating().generator_loss(FORWARD), {"nonsaturating": -np.log(sigmoid(FAKE))})
    np.testing.assert_allclose(NonSaturating().generator_loss(FORWARD)["nonsaturating"][1], np.log(4), rtol=1e-6)
    ours, original = NonSaturating().discriminator_loss(FORWARD), Minimax().discriminator_loss(FORWARD)
    check(ours, {name: value.numpy() for name, value in original.items()})


def test_hinge():
    """Of D's scores 0, log 3, -1 of data and 0, -log 3, 2 of samples."""
    check(Hinge().discriminator_loss(FORWARD), {"data": [1, 0, 2], "samples": [1, 0, 3]})
    check(Hinge().generator_loss(FORWARD), {"hinge": -FAKE})
    assert float(Hinge().diagnostics(FORWARD, {})["discriminator/gap"]) == pytest.approx(REAL.mean() - FAKE.mean())


def test_least_squares():
    check(LeastSquares().discriminator_loss(FORWARD), {"data": (REAL - 1) ** 2 / 2, "samples": FAKE**2 / 2})
    check(LeastSquares().generator_loss(FORWARD), {"least_squares": (FAKE - 1) ** 2 / 2})


def test_relativistic_pairs():
    check(Relativistic().discriminator_loss(FORWARD), {"relativistic": np.log1p(np.exp(FAKE - REAL))})
    check(Relativistic().generator_loss(FORWARD), {"relativistic": np.log1p(np.exp(REAL - FAKE))})
    np.testing.assert_allclose(Relativistic().discriminator_loss(FORWARD)["relativistic"][1], np.log(10 / 9), rtol=1e-6)
    assert float(Relativistic().diagnostics(FORWARD, {})["discriminator/pairs_right"]) == pytest.approx(1 / 3)


def test_smoothing_is_one_sided():
    losses = NonSaturating(smoothing=0.1).discriminator_loss(FORWARD)
    p = sigmoid(REAL)
    check(losses, {"data": -0.9 * np.log(p) - 0.1 * np.log(1 - p), "samples": -np.log(1 - sigmoid(FAKE))})


def test_smoothing_may_be_two_sided():
    losses = NonSaturating(smoothing=0.1, sample_smoothing=0.1).discriminator_loss(FORWARD)
    p, q = sigmoid(REAL), sigmoid(FAKE)
    samples = -0.1 * np.log(q) - 0.9 * np.log(1 - q)
    check(losses, {"data": -0.9 * np.log(p) - 0.1 * np.log(1 - p), "samples": samples})


def test_accuracies():
    found = NonSaturating().diagnostics(FORWARD, {})
    assert float(found["discriminator/accuracy_data"]) == pytest.approx(1 / 3)
    assert float(found["discriminator/accuracy_samples"]) == pytest.approx(1 / 3)


def test_losses_stay_finite_far_out():
    forward = SimpleNamespace(
        real=DiscriminatorOutput(tf.constant([-1e4])), fake=DiscriminatorOutput(tf.constant([1e4]))
    )
    for game in (Minimax(), NonSaturating(smoothing=0.1), Hinge(), LeastSquares(), Relativistic()):
        for losses in (game.discriminator_loss(forward), game.generator_loss(forward)):
            assert all(np.isfinite(value).all() for value in losses.values())


def test_terms_are_found_by_module_name():
    assert {"minimax", "nonsaturating", "dfm"} <= set(objectives.names())
    assert objectives.find("nonsaturating") is NonSaturating and objectives.find("minimax") is Minimax
    assert objectives.find("dfm") is DenoisingFeatureMatching
    assert objectives.parameters("dfm") == {
        "weight": 0.03,
        "sigma": 1.0,
        "anneal_steps": 0,
        "gradient_ratio": 0.0,
        "sigma_least": 0.0,
        "level_power": 0.0,
    }
    games = {"minimax", "nonsaturating", "least_squares", "hinge", "wasserstein", "relativistic", "ebgan", "began"}
    assert set(objectives.primaries()) >= games and "dfm" not in objectives.primaries()


@pytest.mark.parametrize("term", ["nonsaturatng", "base", ""])
def test_an_unknown_term_is_an_error_that_lists_the_known_and_the_nearest(term):
    with pytest.raises(UsageError, match=r"Unknown term .*Known: .*dfm.*minimax.*nonsaturating") as error:
        objectives.find(term)
    assert ("Did you mean 'nonsaturating'" in str(error.value)) == (term == "nonsaturatng")


@pytest.fixture
def late(tmp_path, monkeypatch):
    (tmp_path / "late.py").write_text(
        "from tfdfm.objectives.minimax import Minimax\n"
        "class Late(Minimax):\n"
        "    def __init__(self, slope: float = 2.0):\n"
        "        super().__init__()\n"
    )
    (tmp_path / "gap.py").write_text(
        re.search(r"```python\n(import tensorflow.*?)```", README.read_text(), re.DOTALL)[1]
    )
    monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(tmp_path)])
    yield
    for name in ("late", "gap"):
        sys.modules.pop(f"tfdfm.objectives.{name}", None)
        vars(objectives).pop(name, None)


def test_a_new_objective_is_one_file(late):
    assert issubclass(objectives.find("late"), Objective) and "late" in objectives.primaries()
    assert recipes.defaults().late.slope == 2.0
    changed = recipes.override(recipes.defaults(), {"terms": "late,dfm", "late.slope": "3"})
    assert recipes.check(changed).late.slope == 3.0


def test_the_readmes_objective_trains(late):
    trainer = toys.trainer(terms=("gap", "dfm"))
    before = toys.state(trainer)
    logs = toys.stepper(trainer, graph=False)(toys.batch())
    assert logs.keys() >= {"generator/gap", "generator/dfm", "discriminator/data", "discriminator/samples"}
    after = toys.state(trainer)
    assert all((before[name] != after[name]).any() for name in before if name.endswith("kernel"))


def test_two_losses_of_one_name_are_an_error():
    with pytest.raises(UsageError, match="both have a feature_matching"):
        toys.trainer(terms=("feature_matching_game", "feature_matching"))


@pytest.mark.parametrize(
    ("terms", "changes", "why"),
    [
        ("wasserstein,gradient_penalty", {}, "given both. Set --config.wasserstein.clip=0"),
        ("wasserstein", {"wasserstein.clip": 0.0}, "given neither. Set --config.wasserstein.clip=0.01"),
        ("wasserstein,gradient_penalty", {"wasserstein.clip": 0.0}, "BatchNorm in the discriminator mixes"),
        (
            "wasserstein,gradient_penalty",
            {"wasserstein.clip": 0.0, "discriminator.network": "ImprovedGAN"},
            "MinibatchDiscrimination in the discriminator mixes",
        ),
        ("nonsaturating", {"discriminator.network": "FullyConnectedAutoencoder"}, "an energy here, and the game"),
        (
            "pull_away,ebgan",
            {"discriminator.network": "FullyConnectedAutoencoder", "batch_size": 1},
            "compares samples",
        ),
        (
            "vae,historical_averaging",
            {"prior": "normal", "encoder.network": "Iliescu"},
            "needs the discriminator's score",
        ),
    ],
)
def test_combinations_without_sense_end_before_the_first_step(terms, changes, why):
    with pytest.raises(UsageError, match=re.escape(why)):
        made = recipes.override(recipes.defaults(), {"terms": terms, "image_size": 16, **changes})
        trainer = build.trainer(recipes.check(made), 1, 0, jit=False)
        toys.stepper(trainer, graph=False)(toys.batch(size=made.batch_size))
