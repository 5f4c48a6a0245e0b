from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.analysis.views import forgetting
from tfdfm.classifiers.binding import Classifier
from tfdfm.errors import UsageError


class Parts:
    """G of one layer of four maps: map m is z_m, and paints quarter m of the image, m quarters as bright."""

    def activations(self, latents, labels=None, alter=lambda place, maps: maps):
        return [alter(0, tf.constant(latents)[:, None, None, :])]

    def image(self, maps, labels=None):
        bright = tf.nn.relu(maps)[:, 0, 0] * tf.range(4.0) / 4
        return tf.repeat(tf.repeat(bright[:, :, None, None], 12, axis=1), 48, axis=2) * 2 - 1


def told(images):
    return np.stack([np.full(len(images), 60.0), images[:, 24:36].mean(axis=(1, 2, 3))], 1)


class Painter:
    """Of classes 0 and 1; a sample is of class 1 where map 2 is at work, which the classifier sees."""

    title, classes, data_classes = "painter", (), ("none", "third")
    trained = SimpleNamespace(generator=Parts())
    classifier = Classifier("brightness", {}, 2, lambda images: (told(images), told(images)))

    def latents(self, count, seed):
        drawn = np.random.default_rng(seed).uniform(0.2, 1, [count, 4]).astype(np.float32)
        drawn[::2, 2] *= 0.1
        return drawn

    def sample_labels(self, count):
        return None


def test_the_map_that_changes_most_comes_first():
    found = forgetting.draw(Painter(), layer=0, shown=20, maps=3)
    assert found.numbers["maps"][0] == 3 and found.numbers["changes"][0] == 0
    latents = Painter().latents(20, 0)
    assert found.numbers["changes"][3] == pytest.approx(latents[:, 3].mean() * 3 / 4 * 255 / 4, abs=0.3)


def test_the_map_that_makes_a_class_is_found_and_forgotten():
    found = forgetting.draw(Painter(), layer=1, classes="third", num=100, maps=1).numbers
    assert found["without"]["maps"] == [2] and found["class"] == "third"
    assert found["all"]["own"] == 1 and found["without"]["own"] == 0
    assert found["all"]["others"] == found["without"]["others"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--view.layer=7"], "layer from 1 to 4"),
        (["--view.classes=ten"], "Expected one class of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, given ten"),
        (["--view.classes=3", "--view.num=3"], "Expected samples of 3 and others among 3, found 0. Set --view.num"),
    ],
)
def test_what_cannot_be_shown_is_one_line(made, view, options, message):
    with pytest.raises(UsageError, match=message):
        view(f"--run_dir={made('conditional', conditional=True)}", "--view=forgetting", *options)


def test_a_classifier_of_other_classes_is_refused():
    painter = Painter()
    painter.classifier = painter.classifier._replace(num_classes=3)
    with pytest.raises(UsageError, match="classifier of the data's own classes. Set --classifier=dataset"):
        forgetting.draw(painter, layer=1, classes="third", num=10)


def test_the_command(made, view, classifier):
    run = made("conditional", conditional=True)
    arguments = [f"--run_dir={run}", f"--classifier={classifier}", "--view=forgetting", "--view.num=50"]
    _, about = view(*arguments, "--view.classes=3", "--view.maps=4")
    assert len(about["found"]["conditional"]["by_lot"]["maps"]) == 4
    picture, about = view(*arguments, "--view.maps=2", "--view.shown=3")
    assert len(about["found"]["conditional"]["maps"]) == 2 and picture.shape[0] == 32 + 3 * 51 - 3
