"""float16: losses are scaled, and an update whose gradients overflow is left out whole."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.training import distribution
from tfdfm.training.loss_scale import GROWS_AFTER

SPECTRAL = dict(network="SNGAN", width=4)
FULL = dict(precision="mixed_float16", ema_decay=0.9, terms=("nonsaturating", "dfm"))
MOVED = {"step", "loss_scale", "loss_scale_fitted"}
FITTING = 2.0**8  # the toys overflow at START


@pytest.fixture(autouse=True)
def half_everywhere(monkeypatch):
    monkeypatch.setattr(distribution, "_multiplies", lambda choice: True)


def gradients(precision="mixed_float16", scale=None, **keys):
    keys = {"terms": ("nonsaturating", "dfm"), "dfm": {"gradient_ratio": 0.0}} | keys
    keys["dfm"] = toys.recipe().dfm.to_dict() | keys["dfm"]
    update, zero = toys.trainer(precision=precision, **keys).joint_update, tf.constant(0, tf.int64)
    batch = {name: tf.constant(value) for name, value in toys.batch().items()}
    scale = None if scale is None else tf.constant(scale)
    return update.gradients(batch, zero, zero, logged=True, scale=scale)


def distance(found, expected):
    """Of all gradients of a player, relative to what is expected."""
    found, expected = (np.concatenate([g.numpy().ravel() for g in of]) for of in (found, expected))
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def test_small_gradients_are_kept_by_the_scale_alone():
    """G's, of a denoiser's weight so small that its gradient on samples is below float16's least number."""
    keys = dict(terms=("dfm", "nonsaturating"), dfm={"weight": 1e-6})
    full, scaled, plain = (
        gradients(*of, **keys) for of in (("float32",), ("mixed_float16", FITTING), ("mixed_float16",))
    )
    name = "generator/gradient_norm_dfm"
    assert full.logs[name] > 0 and plain.logs[name] < 0.5 * full.logs[name]
    assert scaled.logs[name].numpy() == pytest.approx(full.logs[name].numpy(), rel=0.25)
    for player, expected in full.of_players.items():
        assert distance(scaled.of_players[player], expected) < 0.08


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.whole)])
def test_a_step_is_nearly_that_of_float32(jit):
    keys = FULL | dict(optimizer=dict(method="sgd"))
    half, full = toys.trainer(jit=jit, **keys), toys.trainer(**keys | {"precision": "float32"})
    start = toys.state(full)
    half.loss_scale.factor.assign(FITTING)
    for step in map(toys.stepper, (half, full)):
        logs = step(toys.batch())
        assert logs.get("loss_scale", FITTING) == FITTING and logs["first_bad_step"] == -1
    named = half.variables_by_name()
    assert named.keys() - full.variables_by_name().keys() == MOVED - {"step"} and named["loss_scale_fitted"] == 1
    assert half.networks["generator"].compute_dtype == "float16"
    for holder in ("generator/", "discriminator/", "denoiser/", "ema_generator/"):
        found, expected, before = (
            np.concatenate([value.ravel() for name, value in of.items() if name.startswith(holder)])
            for of in (toys.state(half), toys.state(full), start)
        )
        assert np.linalg.norm(found - expected) < 0.15 * np.linalg.norm(expected - before), holder


@pytest.mark.parametrize(
    "keys",
    [
        dict(optimizer=dict(method="adam")),
        dict(optimizer=dict(method="adam_root", l2=0.1), accumulate=2),
        dict(optimizer=dict(method="rmsprop"), play="alternating", discriminator=SPECTRAL),
        dict(optimizer=dict(method="sgd", l2=0.1), dfm=toys.recipe().dfm.to_dict() | {"gradient_ratio": 1.0}),
    ],
)
def test_an_update_that_overflows_is_left_out_and_the_scale_falls_until_one_fits(keys):
    trainer = toys.trainer(**FULL | keys)
    step, named = toys.stepper(trainer), trainer.variables_by_name()
    updates = len(trainer.joint_update.updates)
    trainer.loss_scale.factor.assign(2.0**100)
    before = {name: value.numpy() for name, value in named.items()}
    logs = step(toys.batch())
    counted = MOVED | {name for name in named if name.endswith("iteration")}
    moved = {name for name, value in named.items() if not np.array_equal(value.numpy(), before[name])}
    assert {"step", "loss_scale"} <= moved
    assert {name for name in moved - counted if not name.startswith(("ema_generator", "dfm"))} == set()
    for name in moved - counted:
        np.testing.assert_allclose(named[name].numpy(), before[name], atol=1.0)
    assert named["loss_scale"] == 2.0 ** (100 - updates) and logs["first_bad_step"] == -1
    assert logs["generator/gradient_norm_dfm"] == 0
    for number in range(1, 100):
        assert step(toys.batch(number))["first_bad_step"] == -1
    assert named["loss_scale_fitted"] > 0 and 1 < named["loss_scale"] < 2.0**40
    weights = trainer.joint_update.weights(trainer.joint_update.players[0])
    assert all(np.all(np.isfinite(value.numpy())) for value in named.values()) and weights
    assert any(not np.array_equal(named[name].numpy(), before[name]) for name in named if name.startswith("generator/"))


def test_the_scale_doubles_after_many_updates_that_fit_and_never_falls_below_1():
    trainer = toys.trainer(**FULL)
    scale, step = trainer.loss_scale, toys.stepper(trainer)
    scale.factor.assign(FITTING)
    scale.fitted.assign(GROWS_AFTER - 1)
    step(toys.batch())
    assert (scale.factor.numpy(), scale.fitted.numpy()) == (2 * FITTING, 0)
    for least in (1.0, 1.5):
        scale.factor.assign(least)
        scale.move(tf.constant(False))
        assert scale.factor.numpy() == 1.0


def test_replicas_leave_out_the_same_update():
    mirrored = distribution.strategy("mirrored")
    trainer = toys.trainer(mirrored, **FULL)
    step, named = toys.replicated(trainer, mirrored), trainer.variables_by_name()
    assert mirrored.num_replicas_in_sync == 2
    local = {name: mirrored.experimental_local_results(value) for name, value in named.items()}
    trainer.loss_scale.factor.assign(2.0**100)
    weights = [name for name in named if name.startswith(("generator/", "discriminator/", "denoiser/"))]
    before = {name: local[name][0].numpy() for name in weights}
    step(toys.batch())
    assert all(np.array_equal(of.numpy(), before[name]) for name in weights for of in local[name])
    trainer.loss_scale.factor.assign(FITTING)
    step(toys.batch(1))
    assert all(np.array_equal(local[name][0].numpy(), local[name][1].numpy()) for name in weights)
    assert not all(np.array_equal(local[name][0].numpy(), before[name]) for name in weights)
