from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm import data
from tfdfm.analysis import inversion
from tfdfm.analysis.subject import Subject
from tfdfm.analysis.views import interpolate
from tfdfm.errors import UsageError
from tfdfm.images import from_uint8
from tfdfm.runs import run as train
from tfdfm.sampling import restore

RAMP = np.broadcast_to(np.linspace(-1, 1, 48, dtype=np.float32), (48, 48))
MIX = np.stack([RAMP, RAMP.T])[..., None]


def paint(latents, labels=None):
    """Images in [-1, 1], linear in the two latents."""
    return tf.tensordot(tf.cast(latents, tf.float32), MIX, 1) * 0.5


class Linear:
    """A run of a linear generator, whose encoder inverts it, and whose data it makes."""

    title, classes = "linear", ()

    def __init__(self, jumps=False):
        self.config, self.source, self._jumps = SimpleNamespace(prior="uniform"), self, jumps
        self.trained = SimpleNamespace(generator=paint)
        self.codes = np.random.default_rng(0).uniform(-0.9, 0.9, [12, 2]).astype(np.float32)
        pixels = np.rint((paint(self.codes).numpy() + 1) * 127.5).astype(np.uint8)
        self.held_out_or_training = SimpleNamespace(pixels=pixels, labels=None)

    def latents(self, count, seed):
        return np.random.default_rng(seed + 1).uniform(-1, 1, [count, 2]).astype(np.float32)

    def from_latents(self, latents, labels):
        if self._jumps:
            latents = np.where(np.asarray(latents) > 0, 1.0, -1.0)
        return (paint(latents).numpy() + 1) / 2

    def encoder(self, images):
        flat = tf.reshape(images, [len(images), -1]) @ np.linalg.pinv(MIX.reshape(2, -1)) / 0.5
        return flat, tf.zeros_like(flat)


def test_the_way_through_a_linear_generator_is_straight():
    rows = interpolate.draw(Linear(), num=4, steps=6).numbers
    assert len(rows) == 4
    for row in rows:
        assert row["straightness"] == pytest.approx(1, abs=0.02) and row["largest_to_mean"] < 1.1


def test_a_generator_that_jumps_is_seen():
    rows = interpolate.draw(Linear(jumps=True), num=8, steps=9).numbers
    moved = [row for row in rows if row["largest_to_mean"]]
    assert moved and all(row["largest_to_mean"] >= 4 for row in moved)  # one or two jumps in eight steps


@pytest.mark.parametrize("ends", ["encoder", "inversion"])
def test_images_of_the_data_come_back_at_both_ends(ends):
    subject = Linear()
    found = interpolate.draw(subject, ends=ends, steps=4, images="3,8,5,0")
    assert all(max(row["reconstruction_error"]) < 1.5 for row in found.numbers)
    pixels = subject.held_out_or_training.pixels
    assert np.array_equal(found.picture[48:96, :48, :1], pixels[3])
    assert np.array_equal(found.picture[97:145, 245:293, :1], pixels[0])


@pytest.mark.parametrize(("prior", "most"), [("uniform", 1.0), ("normal", 1.5)])
def test_inversion_finds_the_latents(prior, most):
    subject = Linear()
    starts = subject.latents(24, 0).reshape(12, 2, 2)
    found = inversion.invert(paint, subject.held_out_or_training.pixels, starts, prior, None)
    np.testing.assert_allclose(found, subject.codes, atol=0.02)
    assert np.abs(found).max() <= most
    again = inversion.invert(paint, subject.held_out_or_training.pixels, starts, prior, None)
    assert np.array_equal(found, again)


def test_inversion_takes_the_best_of_its_starts():
    """A ReLU has no slope below 0: from there nothing is found."""

    def half_dead(latents, labels=None):
        return paint(tf.nn.relu(latents))

    pixels = np.rint((half_dead(np.array([[0.5, 0.25]])).numpy() + 1) * 127.5).astype(np.uint8)
    starts = np.array([[[-0.9, -0.9], [0.1, 0.1], [-0.9, 0.1]]], np.float32)
    found = inversion.invert(half_dead, pixels, starts, "uniform", None)
    np.testing.assert_allclose(found, [[0.5, 0.25]], atol=0.02)


def test_pairs_of_one_class_are_chosen_and_of_two_refused():
    labels = np.array([0, 1, 2] * 4)
    pairs = interpolate._chosen(labels, 12, 6, 0)
    assert labels[pairs].tolist() == [[0, 0], [1, 1], [2, 2]] * 2 and (pairs[:, 0] != pairs[:, 1]).all()
    subject = Linear()
    subject.classes, subject.held_out_or_training.labels = ("a", "b", "c"), labels
    with pytest.raises(UsageError, match="two images of one class"):
        interpolate.draw(subject, ends="encoder", images="0,1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--view.ends=code"], "one of latents, encoder, inversion, 2 steps or more, given code"),
        (["--view.steps=1"], "2 steps or more, given latents, 1"),
        (["--view.images=0,1"], "set --view.ends=encoder or inversion"),
        (["--view.ends=inversion", "--view.images=0,1,2"], "like 3,8,5,0, two a row, each below 1,797, given 0,1,2"),
        (["--view.ends=inversion", "--view.images=0,9999"], "each below 1,797"),
        (["--view.ends=encoder"], "plain has no encoder. Take a run of ALI or of a VAE"),
    ],
)
def test_what_cannot_be_shown_is_one_line(made, view, options, message):
    with pytest.raises(UsageError, match=message):
        view(f"--run_dir={made('plain')}", "--view=interpolate", *options)


def test_the_codes_of_a_trained_encoder(view, tmp_path):
    network = dict(network="Iliescu", width=4)
    recipe = dict(terms=("vae",), prior="normal", generator=network, encoder=network, dataset="digits")
    train.train(toys.recipe(**recipe, steps=2, checkpoint_every=2), tmp_path / "vae")
    _, about = view(f"--run_dir={tmp_path / 'vae'}", "--view=interpolate", "--view.ends=encoder", "--view.images=3,9")
    pixels = data.load("digits").pixels[[3, 9]]
    codes, _ = restore.encoder(tmp_path / "vae")(from_uint8(pixels))
    images = Subject(tmp_path / "vae").source.from_latents(codes.numpy()) * 255
    errors = np.sqrt(np.square(images - pixels).mean(axis=(1, 2, 3)))
    assert about["found"]["vae"][0]["reconstruction_error"] == pytest.approx(errors.tolist(), rel=1e-2)


def test_the_command_by_inversion(made, view, monkeypatch):
    monkeypatch.setattr(inversion, "STEPS", 3)
    run = made("conditional", conditional=True)
    picture, about = view(f"--run_dir={run}", "--view=interpolate", "--view.ends=inversion", "--view.num=2")
    assert len(about["found"]["conditional"]) == 2 and picture.shape[1] >= 10 * 48
