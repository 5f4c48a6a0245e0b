from types import SimpleNamespace

import numpy as np
import pytest

from tfdfm.analysis.views import embedding
from tfdfm.errors import UsageError


class Blobs:
    """A run whose data are of two classes, dark and bright, and whose samples are copies of them, or grey."""

    title, classes, data_classes, config = "blobs", ("dark", "bright"), ("dark", "bright"), {}

    def __init__(self, grey=False):
        random = np.random.default_rng(0)
        self._labels, self._grey, self.source = np.arange(200) % 2, grey, self
        self._pixels = (200 * self._labels[:, None, None, None] + random.integers(0, 40, [200, 4, 4, 1])).astype(
            np.uint8
        )
        self.held_out_or_training = SimpleNamespace(pixels=self._pixels[:100], labels=self._labels[:100])

    def latents(self, count, seed):
        return np.random.default_rng(seed).normal(size=(count, 3))

    def sample_labels(self, count):
        return np.arange(count) % 2

    def from_latents(self, latents, labels):
        copies = self._pixels[100 : 100 + len(latents)] / 255
        return np.full_like(copies, 0.45) + copies * 0.01 if self._grey else copies


def test_classes_that_lie_apart_and_samples_that_cannot_be_told():
    found = embedding.draw(Blobs(), num=100, perplexity=10).numbers
    assert found["same_class"] == 1 and 0.35 < found["told_apart"] < 0.65
    assert found["variance_of_components"][0] > 0.95 and found["dimensions"] == 16 and found["points"] == 200
    assert found["variance_explained"] == pytest.approx(1)  # sixteen components of sixteen pixels


def test_samples_that_lie_elsewhere_are_told_apart():
    assert embedding.draw(Blobs(grey=True), num=100, perplexity=10).numbers["told_apart"] == 1


def test_latents_say_nothing_of_a_class_and_are_of_samples_alone():
    found = embedding.draw(Blobs(), of="latents", num=100, perplexity=10).numbers
    assert 0.35 < found["same_class"] < 0.65 and found["told_apart"] is None and found["points"] == 100


def test_the_same_seed_gives_the_same_picture():
    one, two, other = (embedding.draw(Blobs(), num=40, perplexity=5, seed=seed).picture for seed in (0, 0, 1))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--view.of=pixels"], "one of images, discriminator, generator, latents, given pixels"),
        (
            ["--view.perplexity=40"],
            "perplexity from 1 to below 40, the number of points, given 40.0. Or set --view.num",
        ),
        (["--view.perplexity=0"], "perplexity from 1"),
        (["--view.of=discriminator", "--view.layer=9"], r"layer from 1 to 4 \(0: the last\), given 9"),
    ],
)
def test_what_cannot_be_shown_is_one_line(made, view, options, message):
    with pytest.raises(UsageError, match=message):
        view(f"--run_dir={made('plain')}", "--view=embedding", "--view.num=20", *options)


@pytest.mark.parametrize(("of", "points"), [("discriminator", 40), ("generator", 20)])
@pytest.mark.parametrize("name", ["plain", "conditional"])
def test_the_command(made, view, of, points, name):
    run = made(name, conditional=name == "conditional")
    _, about = view(f"--run_dir={run}", "--view=embedding", f"--view.of={of}", "--view.num=20", "--view.perplexity=5")
    assert about["found"][name]["points"] == points


def test_a_network_that_shows_no_activations_is_named(made, view):
    run = made("acgan", terms="acgan", conditional=True, generator__network="ACGAN", discriminator__network="ACGAN",
               generator__width=8, image_size=32)  # fmt: skip
    with pytest.raises(UsageError, match="The generator ACGANGenerator shows no activations"):
        view(f"--run_dir={run}", "--view=embedding", "--view.of=generator", "--view.num=20")
    with pytest.raises(UsageError, match="The discriminator ACGANDiscriminator shows no units"):
        view(f"--run_dir={run}", "--view=units", "--view.images=20")
