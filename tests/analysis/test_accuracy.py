from types import SimpleNamespace

import numpy as np
import pytest

from tfdfm.analysis.views import accuracy
from tfdfm.classifiers.binding import Classifier
from tfdfm.errors import UsageError


def painted(labels):
    """uint8 images [N, 16, 16, 1]: dark, stripes of a pixel, or bright, each with a dot at a place of its own."""
    rows = np.arange(16) % 2 * 255
    patterns = np.stack([np.zeros(16), rows, np.full(16, 255)])[labels]
    images = np.broadcast_to(patterns[:, :, None, None], (len(labels), 16, 16, 1)).astype(np.uint8)
    for place, image in enumerate(images := images.copy()):
        image[2 * (place % 8), place % 16] = 128
    return images


def classify(images):
    """Dark, of strong edges, bright."""
    means, edges = images.mean(axis=(1, 2, 3)), np.abs(np.diff(images, axis=1)).mean(axis=(1, 2, 3))
    logits = np.stack([means < 100, edges > 150, means > 150], 1).astype(float) + [0, 0, 0.5]
    return logits, logits


class Painter:
    """A run whose samples of class 1 are bright and thus of class 2, once in four."""

    title = "painter"
    classifier = Classifier("edges", {}, 3, classify)

    @property
    def held_out(self):
        labels = np.arange(300) % 3
        return SimpleNamespace(pixels=painted(labels), labels=labels)

    def evaluation(self, num, seed, metrics):
        asked = np.arange(num) % 3
        made = painted(np.where((asked == 1) & (np.arange(num) % 4 == 0), 2, asked))
        data, labels = self.held_out.pixels, self.held_out.labels
        keys = [np.arange(len(x), dtype=np.int64)[:, None] for x in (made, data)]
        return SimpleNamespace(
            scored=SimpleNamespace(images=made),
            labels=asked,
            keys=keys[0],
            class_logits=classify(made.astype(float))[1],
            classifier=self.classifier,
            reference=SimpleNamespace(images=data, labels=labels, class_names=("dark", "striped", "bright")),
            reference_keys=keys[1],
        )


def test_stripes_are_told_at_full_size_alone():
    found = accuracy.draw(Painter(), num=240, pairs=20).numbers
    assert found["accuracy"]["16"] == {"value": 220 / 240, "error": pytest.approx(np.sqrt(220 * 20 / 240**3))}
    assert found["accuracy"]["8"]["value"] == pytest.approx(2 / 3)
    assert found["held_out_accuracy"]["16"]["value"] == 1
    shares = {name: each["accuracy"] for name, each in found["per_class"].items()}
    assert shares == {"dark": 1, "striped": 0.75, "bright": 1}
    assert found["per_class"]["striped"]["accuracy_error"] == pytest.approx(np.sqrt(0.75 * 0.25 / 80))
    assert found["per_class"]["striped"]["ms_ssim"] < found["per_class"]["dark"]["ms_ssim"]


def test_the_command(made, view, classifier):
    run = made("conditional", conditional=True)
    picture, about = view(
        f"--run_dir={run}", f"--classifier={classifier}", "--view=accuracy", "--view.num=200", "--view.pairs=10"
    )
    found = about["found"]["conditional"]
    assert found["accuracy"].keys() == {"16", "8"} and found["held_out_accuracy"] == {}  # digits have no test images
    assert list(found["per_class"]) == list("0123456789") and picture.shape == (800, 800, 3)


def test_a_run_without_classes_is_refused(made, view, classifier):
    with pytest.raises(UsageError, match="accuracy_by_resolution needs samples with classes"):
        view(f"--run_dir={made('plain')}", f"--classifier={classifier}", "--view=accuracy")
