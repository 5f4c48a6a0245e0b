"""The recipe `digits` earns its word: a classifier of the real ones calls what it makes digits."""

import os
import sys

import commands
import digit_classifier
import numpy as np
import pytest

from tfdfm import data
from tfdfm.images import to_uint8
from tfdfm.sampling import restore
from tfdfm.sampling.sampler import Local


@pytest.fixture(scope="module")
def classifier():
    """Trained on all but 397 digits, and measured on those first: right about them, and not fooled by what is none."""
    images = data.load("digits")
    order = np.random.default_rng(0).permutation(len(images.pixels))
    seen, kept = order[:1400], order[1400:]
    made = digit_classifier.DigitClassifier(images.pixels[seen], images.labels[seen])
    pixels, labels = images.pixels[kept], images.labels[kept]
    right = made.probabilities(pixels)[:, : digit_classifier.OTHER].argmax(axis=1) == labels
    assert right.mean() >= 0.97 and made.confident(pixels) >= 0.8
    for name, images in digit_classifier.garbage(pixels, np.random.default_rng(2)).items():
        assert made.confident(images) <= 0.1, name
    return made


WHOLE = bool(os.environ.get("TFDFM_TEST_ALL"))  # else a third of the recipe's steps, after which they are fewer


@pytest.mark.slow
def test_four_of_five_samples_are_digits_without_a_doubt(classifier, tmp_path):
    command = [sys.executable, "-m", "tfdfm.train", "--dataset=digits", f"--run_dir={tmp_path / 'run'}"]
    commands.run([*command, "--config.score_every=0", *([] if WHOLE else ["--steps=1000"])], timeout=1800)
    images = to_uint8(Local(restore.load(tmp_path / "run")).images(range(1000)) * 2 - 1)
    assert classifier.confident(images) >= (0.82 if WHOLE else 0.75)
    found = classifier.probabilities(images)[:, : digit_classifier.OTHER].argmax(axis=1)
    assert np.bincount(found, minlength=10).min() >= 10  # of a thousand: no digit is forgotten
