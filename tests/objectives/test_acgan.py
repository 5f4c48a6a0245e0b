"""Auxiliary classifier GAN, against values worked by hand and NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfdfm import data, recipes
from tfdfm.errors import UsageError
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.acgan import AuxiliaryClassifier, class_entropy
from tfdfm.objectives.forward import Forward
from tfdfm.random import Random
from tfdfm.runs import run
from tfdfm.searching import grid

SCORES = np.array([0.0, np.log(3), -1.0], np.float32)
LOGITS = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
LABELS, SAMPLED = np.array([3, -1, 0], np.int32), np.array([3, 1, 0], np.int32)
FORWARD = SimpleNamespace(
    real=DiscriminatorOutput(tf.constant(SCORES), class_logits=tf.constant(LOGITS[0])),
    fake=DiscriminatorOutput(tf.constant(-SCORES), class_logits=tf.constant(LOGITS[1])),
    labels=tf.constant(LABELS),
    sample_labels=tf.constant(SAMPLED),
)


def log_p(logits, label):
    return logits[label] - np.log(np.exp(logits).sum())


def likelihoods():
    """L_S and L_C of equations 2 and 3 over the batch, in NumPy."""
    real, fake = 1 / (1 + np.exp(-SCORES)), 1 / (1 + np.exp(SCORES))
    source = np.mean(np.log(real)) + np.mean(np.log(1 - fake))
    data = [log_p(row, label) for row, label in zip(LOGITS[0], LABELS, strict=True) if label >= 0]
    samples = [log_p(row, label) for row, label in zip(LOGITS[1], SAMPLED, strict=True)]
    return source, np.sum(data) / len(LABELS) + np.mean(samples)


def total(losses):
    return sum(float(tf.reduce_mean(loss)) for loss in losses.values())


def test_d_maximises_both_likelihoods():
    losses = AuxiliaryClassifier().discriminator_loss(FORWARD)
    assert all(loss.shape == (3,) for loss in losses.values())
    assert total(losses) == pytest.approx(-sum(likelihoods()), rel=1e-6)


def test_g_maximises_the_class_and_does_not_saturate_in_the_source():
    losses = AuxiliaryClassifier().generator_loss(FORWARD)
    np.testing.assert_allclose(losses["acgan"][:2], [np.log(2), np.log(4)], rtol=1e-6)  # by hand
    expected = [-log_p(row, label) for row, label in zip(LOGITS[1], SAMPLED, strict=True)]
    np.testing.assert_allclose(losses["class"], expected, rtol=1e-5)


def test_an_image_without_a_label_has_no_class_loss_and_no_gradient_of_it():
    logits = tf.constant(LOGITS[0])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = class_entropy(logits, tf.constant(LABELS))
    gradient = tape.gradient(loss, logits).numpy()
    assert loss[1] == 0 and not gradient[1].any()
    probabilities = np.exp(LOGITS[0]) / np.exp(LOGITS[0]).sum(1, keepdims=True)
    np.testing.assert_allclose(gradient[[0, 2]], (probabilities - np.eye(4)[LABELS])[[0, 2]], rtol=1e-4, atol=1e-7)


def test_samples_have_the_datas_labels_and_drawn_ones_where_these_are_not_known():
    labels = tf.constant(np.where(np.arange(4000) % 2, np.arange(4000) % 3, -1), tf.int32)
    zero = tf.constant(0, tf.int64)
    generator = SimpleNamespace(num_classes=3)
    forward = Forward(
        {"generator": generator}, None, labels, random=Random(0, zero, zero), latent=(8, "uniform"), step=zero
    )
    found = forward.sample_labels.numpy()
    np.testing.assert_array_equal(found[1::2], labels[1::2])
    assert np.bincount(found[::2], minlength=3) == pytest.approx([2000 / 3] * 3, rel=0.1)


def test_class_losses_of_equal_and_of_certain_logits():
    np.testing.assert_allclose(class_entropy(tf.zeros([2, 10]), tf.constant([3, -1])), [np.log(10), 0], rtol=1e-6)
    np.testing.assert_allclose(class_entropy(1e4 * tf.eye(2), tf.constant([0, 0])), [0, 1e4], rtol=1e-6)


def test_the_samples_class_accuracy_is_told():
    labels = (LOGITS[1].argmax(1) + np.array([0, 1, 0])) % 4  # one of three is wrong
    forward = SimpleNamespace(**vars(FORWARD) | {"sample_labels": tf.constant(labels, tf.int32)})
    found = AuxiliaryClassifier().diagnostics(forward, {})
    assert float(found["discriminator/class_accuracy_samples"]) == pytest.approx(2 / 3)
    assert float(found["discriminator/accuracy_data"]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dataset": "stl10"}, "'acgan' needs labels: given stl10, which has no classes, and conditional=True"),
        ({"dataset": "stl10", "conditional": False}, "'acgan' needs labels: given stl10"),
        ({"conditional": False}, "'acgan' needs labels: given cifar10, which has 10 classes, and conditional=False"),
    ],
)
def test_data_without_labels_is_an_error_before_training(monkeypatch, change, said):
    monkeypatch.setattr(data, "load", None)
    recipe = recipes.recipe("cifar10_acgan")
    recipe.update(change)
    with pytest.raises(UsageError, match=said):
        run.resolve(recipe)


def test_a_discriminator_without_classes_is_an_error_before_training():
    recipe = recipes.override(recipes.recipe("cifar10_acgan"), {"discriminator.network": "DCGAN"})
    with pytest.raises(UsageError, match="'acgan' needs the discriminator's class_logits"):
        run.dry_run(recipe)


def test_the_papers_27_settings_and_its_growing_splits():
    recipe = recipes.recipe("cifar10_acgan_grid")
    settings = grid.settings(grid.axes(recipe, recipes.grid("cifar10_acgan_grid")))
    assert len({setting.name for setting in settings}) == 27
    for setting in settings:
        found = grid.configured(recipe, setting)
        assert found.optimizer.learning_rate in (1e-4, 2e-4, 3e-4) and found.discriminator.noise in (0, 0.1, 0.2)
    name = "imagenet64_acgan_classes_grid"
    settings = grid.settings(grid.axes(recipes.recipe(name), recipes.grid(name)))
    classes = [run.resolve(grid.configured(recipes.recipe(name), setting))[1].num_classes for setting in settings]
    assert sorted(classes) == [10, 25, 50, 100]
