"""DiffAugment: what each kind does, that both sides have the same distribution, gradients, and ADA's strength."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.errors import UsageError
from tfdfm.objectives import diffaugment
from tfdfm.objectives.diffaugment import DiffAugment
from tfdfm.random import Random

IMAGES = np.random.default_rng(0).normal(0, 0.3, [64, 16, 16, 3]).astype(np.float32)


def uniform(name, shape):
    return Random(0, tf.constant(0, tf.int64), tf.constant(0, tf.int64)).uniform(name, shape)


def test_colour_keeps_the_pattern_and_changes_brightness_saturation_and_contrast():
    drawn = uniform("color", [64, 1, 1, 3]).numpy()
    found = diffaugment.color(tf.constant(IMAGES), uniform).numpy()
    x = IMAGES + drawn[..., :1] - 0.5
    grey = x.mean(3, keepdims=True)
    x = (x - grey) * 2 * drawn[..., 1:2] + grey
    mean = x.mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(found, (x - mean) * (0.5 + drawn[..., 2:]) + mean, rtol=1e-4, atol=1e-5)


def test_translation_moves_by_at_most_an_eighth_each_place_as_often():
    ones = np.ones([2000, 16, 16, 1], np.float32)
    found = diffaugment.translation(tf.constant(ones), uniform).numpy()[..., 0]
    rows, columns = found.max(2), found.max(1)
    for side in (rows, columns):
        moved = np.where(side[:, 0] == 0, 16 - side.sum(1), side.sum(1) - 16)
        values, counts = np.unique(moved, return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2] and counts.min() > 330
    whole = diffaugment.translation(tf.constant(IMAGES), uniform).numpy()
    np.testing.assert_array_equal(np.isin(whole, [0, *IMAGES.ravel()]), True)  # whole pixels


def test_cutout_takes_a_square_of_half_the_side_anywhere():
    found = diffaugment.cutout(tf.ones([2000, 16, 16, 1]), uniform).numpy()[..., 0] == 0
    height, width = found.any(2).sum(1), found.any(1).sum(1)
    assert height.max() == width.max() == 8 and height.min() == width.min() == 4  # its centre is within the image
    assert (found.sum((1, 2)) == height * width).all()
    assert found.mean(0)[0, 0] > 0.05 and found.mean(0)[8, 8] > 0.2


def test_data_and_samples_have_draws_of_their_own_and_the_same_in_every_loss():
    trainer = toys.trainer(terms=("nonsaturating", "diffaugment"))
    forward = toys.forward(trainer, terms=tuple(trainer.joint_update.objectives.values()))
    term, x = trainer.joint_update.objectives["diffaugment"], forward.images
    data, again, samples = (term.transform_input(forward, x, purpose) for purpose in ("data", "data", "samples"))
    np.testing.assert_array_equal(data, again)
    assert not np.allclose(data, samples)


def test_gradients_flow_to_g_through_it():
    x = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = diffaugment.cutout(diffaugment.translation(diffaugment.color(x, uniform), uniform), uniform)
        loss = tf.reduce_sum(y)
    slope = tape.gradient(loss, x).numpy()
    assert (slope != 0).any((1, 2, 3)).all() and np.isfinite(slope).all()


@pytest.mark.parametrize(("target", "steps", "expected"), [(-2.0, 10, 0.2), (2.0, 10, 0.0), (-2.0, 1, 1.0)])
def test_the_strength_follows_the_sign_of_ds_score(target, steps, expected):
    """Whatever D says its sign is above -2 and below 2; p rises by 1 / steps, and does not leave [0, 1]."""
    trainer = toys.trainer(terms=("nonsaturating", "diffaugment"), diffaugment={"target": target, "steps": steps})
    step = toys.stepper(trainer)
    for number in range(2):
        logs = step(toys.batch(number))
    assert logs["discriminator/augmentation"] == pytest.approx(expected)
    assert -1 <= logs["discriminator/sign_of_data"] <= 1
    assert toys.state(trainer)["diffaugment/000.p"] == pytest.approx(expected)  # it is saved with the run


def test_at_p_0_nothing_is_changed():
    trainer = toys.trainer(terms=("nonsaturating", "diffaugment"), diffaugment={"target": 0.6})
    forward = toys.forward(trainer)
    term = trainer.joint_update.objectives["diffaugment"]
    np.testing.assert_array_equal(term.transform_input(forward, forward.images, "data"), forward.images)


def test_an_unknown_kind_is_one_line():
    with pytest.raises(UsageError, match="color, translation, cutout, given blur"):
        DiffAugment(policy=("color", "blur"))
