from types import SimpleNamespace

import made_up
import numpy as np
import pytest

from tfdfm.analysis.views import neighbours
from tfdfm.errors import UsageError

TRAINING = made_up.images(60, 48)


def features(images):
    return np.asarray(images, float).reshape(len(images), -1)[:, ::97]


class Copier:
    """A run whose samples 7 and 3 are training images 50 and 20, and all others far from any."""

    title, held_out = "copier", SimpleNamespace(pixels=np.full((5, 48, 48, 3), 255, np.uint8))

    def __init__(self):
        self.made = np.full((10, 48, 48, 3), 255, np.uint8)
        self.made[7], self.made[3] = TRAINING[50], TRAINING[20] + np.uint8(1)
        self.classifier = SimpleNamespace(
            record={"name": "pixels"}, num_classes=1, run=lambda images: (features(images), np.ones((len(images), 1)))
        )

    def seeds(self, num, seed):
        return range(100, 100 + num)

    def evaluation(self, num, seed, metrics):
        return SimpleNamespace(
            scored=SimpleNamespace(images=self.made),
            features=SimpleNamespace(features=features(self.made)),
            reference=SimpleNamespace(images=TRAINING),
            reference_features=SimpleNamespace(features=features(TRAINING)),
            classifier=self.classifier,
        )


def test_copies_come_first_above_what_they_copy():
    found = neighbours.draw(Copier(), num=10, shown=2)
    shown = found.numbers["shown"]
    assert shown["seeds"] == [107, 103] and shown["rows_by_features"] == shown["rows_by_pixels"] == [50, 20]
    assert shown["difference_a_pixel"][0] == 0 and shown["distance_and_reach"][0][0] == 0
    cells = found.picture[32:, 131:]  # below the title, right of the rows' names: cells of 48 pixels and a gap
    for row in range(3):
        assert np.array_equal(cells[49 * row :][:48, :48], TRAINING[50])
    assert np.array_equal(cells[49:97, 49:97], TRAINING[20])


def test_authenticity_of_samples_and_of_held_out_images():
    numbers = neighbours.draw(Copier(), num=10, shown=2).numbers
    assert numbers["authenticity"] == 0.8 and numbers["held_out_authenticity"] == 1


def test_the_command(made, view, classifier):
    arguments = [f"--run_dir={made('plain')}", f"--classifier={classifier}", "--view=neighbours", "--view.num=20"]
    picture, about = view(*arguments, "--view.shown=4")
    found = about["found"]["plain"]
    assert len(found["shown"]["seeds"]) == 4 and found["held_out_authenticity"] is None  # digits have no test images
    assert found["authenticity"] == pytest.approx(1, abs=1) and picture.shape[2] == 3


def test_one_sample_is_too_few(made, view, classifier):
    with pytest.raises(UsageError, match="at least 2"):
        view(f"--run_dir={made('plain')}", f"--classifier={classifier}", "--view=neighbours", "--view.num=1")
