"""The SavedModel of an ensemble: each label is sent to its model, in whatever batch."""

import json

import exports
import numpy as np
import pytest
import tensorflow as tf

from tfdfm import latents
from tfdfm.sampling import saved_model
from tfdfm.sampling.sampler import Local

EACH = 3
LABELS = np.array([5, 0, 3, 3, 1, 4, 2, 0, 5])
SEEDS = np.arange(9)


def loaded(trained, folder):
    return tf.saved_model.load(str(saved_model.write(trained, folder)))


def ask(model, name="serving_default", **inputs) -> dict:
    types = {"latents": tf.float32}
    return model.signatures[name](**{key: tf.constant(of, types.get(key, tf.int64)) for key, of in inputs.items()})


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """(the ensemble as it was trained, its export, those of its models)"""
    trained, folder = exports.ensemble(models=2, classes=EACH), tmp_path_factory.mktemp("models")
    members = [loaded(member, folder / str(number)) for number, member in enumerate(trained.members)]
    return trained, loaded(trained, folder / "whole"), members


def test_a_row_of_a_mixed_batch_is_that_of_its_models_own_export(models):
    _, whole, members = models
    images = ask(whole, seed=SEEDS, labels=LABELS)["images"].numpy()
    pngs = ask(whole, "png", seed=SEEDS, labels=LABELS)["image_bytes"]
    for place, (seed, label) in enumerate(zip(SEEDS, LABELS, strict=True)):
        own = {"seed": [seed], "labels": [label % EACH]}
        expected, other = (ask(members[(label // EACH + n) % 2], **own)["images"][0].numpy() for n in range(2))
        np.testing.assert_allclose(images[place], expected, rtol=0, atol=1e-6)
        assert np.abs(images[place] - other).max() > 0.05
        pixels = tf.io.decode_png(pngs[place]).numpy() / 255
        np.testing.assert_allclose(pixels, expected, rtol=0, atol=0.51 / 255)


def test_a_row_is_the_same_alone_and_in_any_order(models):
    whole = models[1]
    images = ask(whole, seed=SEEDS, labels=LABELS)["images"].numpy()
    order = np.random.default_rng(0).permutation(9)
    mixed = ask(whole, seed=SEEDS[order], labels=LABELS[order])["images"].numpy()
    np.testing.assert_allclose(mixed, images[order], rtol=0, atol=1e-6)
    alone = [ask(whole, seed=[seed], labels=[label])["images"][0] for seed, label in zip(SEEDS, LABELS, strict=True)]
    np.testing.assert_allclose(alone, images, rtol=0, atol=1e-6)


def test_from_latents_is_routed_too_and_the_run_draws_the_same(models):
    trained, whole, _ = models
    images = ask(whole, seed=SEEDS, labels=LABELS)["images"]
    latents = ask(whole, "latents", seed=SEEDS)
    assert set(latents["num_classes"].numpy()) == {6}
    again = ask(whole, "from_latents", latents=latents["latents"].numpy(), labels=LABELS)["images"]
    np.testing.assert_allclose(again, images, rtol=0, atol=1e-6)
    np.testing.assert_allclose(Local(trained).images(SEEDS, LABELS), images, rtol=0, atol=1e-6)


def test_a_label_out_of_range_spoils_its_own_row_only(models):
    labels = np.array([-1, 4, 6, 0, 2**62, -(2**63)])
    images = ask(models[1], seed=SEEDS[:6], labels=labels)["images"].numpy()
    assert np.isnan(images[[0, 2, 4, 5]]).all()
    expected = ask(models[1], seed=SEEDS[[1, 3]], labels=[4, 0])["images"]
    np.testing.assert_allclose(images[[1, 3]], expected, rtol=0, atol=1e-6)


def test_unconditional_draws_among_all_classes(models):
    seeds = np.arange(64)
    found = ask(models[1], "unconditional", seed=seeds)
    assert set(found["labels"].numpy()) == set(range(6))
    np.testing.assert_array_equal(found["labels"], latents.labels_from_seeds(tf.constant(seeds), 6))
    expected = ask(models[1], seed=seeds, labels=found["labels"].numpy())["images"]
    np.testing.assert_allclose(found["images"], expected, rtol=0, atol=1e-6)


def test_the_card_names_all_classes(models):
    card = json.loads(tf.io.read_file(models[1].model_card.asset_path).numpy())
    names = tf.io.read_file(models[1].class_names.asset_path).numpy().decode().split("\n")[:-1]
    assert card["num_classes"] == 6 and card["class_names"] == names == [f"class {i}" for i in range(6)]


def test_batch_norm_is_estimated_for_each_model():
    trained, apart = exports.ensemble(models=2, classes=EACH), exports.ensemble(models=2, classes=EACH)
    for member in (*apart.members, *trained.members):
        for variable in member.generator.non_trainable_variables:
            variable.assign(variable + 1.0)
    for member in apart.members:
        saved_model.estimate_batch_norm(member, 128)
    before = [variable.numpy() for variable in trained.generator.variables]
    saved_model.estimate_batch_norm(trained, 128)
    changed = 0
    for one, two, old in zip(apart.generator.variables, trained.generator.variables, before, strict=True):
        np.testing.assert_array_equal(one, two)
        changed += not np.array_equal(two, old)
    assert changed == 2 * len(trained.members[0].generator.non_trainable_variables)
