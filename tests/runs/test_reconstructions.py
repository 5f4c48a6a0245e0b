"""Runs of systems with an encoder: data beside their reconstructions; and of those without a discriminator."""

import shutil

import commands
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm import data, images
from tfdfm.errors import UsageError
from tfdfm.evaluation import scores
from tfdfm.evaluation.requests import Request
from tfdfm.metrics.separability import COSTS
from tfdfm.runs import run
from tfdfm.sampling import restore


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    """A run of four steps on digits."""
    network = dict(network="Iliescu", width=4)
    recipe = dict(terms=("vae",), prior="normal", generator=network, encoder=network, dataset="digits", ema_decay=0.9)
    config = toys.recipe(**recipe, steps=4, sample_every=2, checkpoint_every=2)
    run_dir = tmp_path_factory.mktemp("vae")
    assert run.train(config, run_dir) is None
    return run_dir


def picture(path, shape):
    """The cells of a grid, [N, H, W, C]."""
    height, width, _ = shape
    grid = tf.io.decode_png(path.read_bytes()).numpy()
    rows, columns = (grid.shape[0] + 1) // (height + 1), (grid.shape[1] + 1) // (width + 1)
    cells = [(row * (height + 1), column * (width + 1)) for row in range(rows) for column in range(columns)]
    return np.stack([grid[y : y + height, x : x + width] for y, x in cells])


def test_every_other_picture_is_one_of_the_data_and_the_next_its_reconstruction(vae):
    names = sorted(path.name for path in (vae / "samples").iterdir())
    assert names == [f"{name}_000000{step}.png" for name in ("reconstructions", "step") for step in (2, 4)]
    pixels = data.load("digits").pixels[:32]
    shown = picture(vae / "samples" / "reconstructions_0000004.png", pixels.shape[1:])
    assert len(shown) == 64
    np.testing.assert_array_equal(shown[::2], pixels)
    assert not np.array_equal(shown[1::2], pixels)


def test_without_an_encoder_there_are_none(tmp_path):
    config = toys.recipe(terms=("nonsaturating",), dataset="digits", steps=2, sample_every=2, checkpoint_every=2)
    assert run.train(config, tmp_path) is None
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["step_0000002.png"]


def test_samples_need_only_the_generator(vae):
    trained = restore.load(vae)
    assert trained.step == 4 and trained.weights == "ema_generator"
    found = images.to_uint8(trained.generator(np.zeros([2, toys.LATENTS], np.float32)))
    assert found.shape == (2, 16, 16, 1)


def test_features_of_an_encoder_are_its_last_layers_and_the_mean(vae):
    pixels = data.load("digits").pixels[:3]
    network = restore.encoder(vae)
    layers = network.activations(images.from_uint8(pixels))
    found = restore.activations(vae)(pixels)
    assert [layer.shape for layer in found] == [(3, 4, 4, 8), (3, 2, 2, 16), (3, 1, 1, 32), (3, 1, 1, toys.LATENTS)]
    for said, expected in zip(found, [*layers[1:], network(images.from_uint8(pixels))[0][:, None, None]], strict=True):
        np.testing.assert_allclose(said, expected, rtol=1e-4, atol=1e-5)


def test_features_of_an_encoder_are_separated_by_a_linear_machine(vae):
    this = Request(vae, None, num=20).evaluation(["separability"])
    record = scores.score(this, "separability").records["separability"]
    assert record["network"] == "encoder" and record["cost"] in COSTS
    assert 0.3 < record["value"] <= 1 and record["samples"] == 179 and record["training_samples"] == 1618


def test_a_runs_few_labels_are_those_of_the_machine(vae, tmp_path):
    shutil.copytree(vae, tmp_path / "few")
    commands.change(tmp_path / "few", num_labelled=100)
    network, _, training, held_out = Request(tmp_path / "few", None, num=20).evaluation(["separability"]).layers
    assert network == "encoder" and np.bincount(training.labels).tolist() == [10] * 10 and len(held_out.labels) == 179


def test_a_discriminator_that_is_not_there_is_an_error(vae):
    with pytest.raises(UsageError, match="has no discriminator of its own"):
        restore.discriminator(vae)
