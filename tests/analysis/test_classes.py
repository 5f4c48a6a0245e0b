import numpy as np
import pytest

from tfdfm.analysis.subject import Subject
from tfdfm.analysis.views import classes
from tfdfm.errors import UsageError


class Painted(Subject):
    """A run whose image of latent z in class c has the pixels 10 (c + 1) + z."""

    def __init__(self):
        self.title, self.name, self.source = "painted", "painted", self

    title = name = source = None
    classes = ("cat", "dog", "owl")

    def latents(self, count, seed):
        return np.arange(count, dtype=np.float32)[:, None]

    def from_latents(self, latents, labels):
        values = 10 * (np.asarray(labels) + 1) + latents[:, 0]
        return np.broadcast_to(values[:, None, None, None] / 255, (len(values), 48, 48, 1))


def test_a_row_is_a_latent_and_a_column_a_class():
    found = classes.draw(Painted(), num=2, classes="owl,0")
    cells = found.picture[-97:, -97:, 0]
    assert [cells[0, 0], cells[0, 96], cells[96, 0], cells[96, 96]] == [30, 10, 31, 11]
    assert found.numbers == {"classes": ["owl", "cat"], "between_classes": 20, "between_latents": 1}


def test_one_latent_has_no_difference_to_others():
    assert classes.draw(Painted(), num=1).numbers["between_latents"] is None


def test_a_class_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="classes of painted, cat, dog, owl, given cow"):
        classes.draw(Painted(), classes="cat,cow")


def test_a_run_without_classes_is_refused(made, view):
    with pytest.raises(UsageError, match="plain is unconditional"):
        view(f"--run_dir={made('plain')}", "--view=classes")


def test_the_images_are_the_models(made, view):
    run = made("conditional", conditional=True)
    picture, about = view(f"--run_dir={run}", "--view=classes", "--view.num=1", "--view.classes=2,3,4")
    subject = Subject(run)
    image = np.rint(subject.source.images([0], [4])[0] * 255)
    assert np.abs(picture[-48::3, -48::3, :1] - image).max() <= 1
    assert about["runs"]["conditional"]["checkpoint"] == 4 and about["options"]["classes"] == "2,3,4"
