"""From what a user asks for to what it takes: samples, real images and a classifier."""

from pathlib import Path
from typing import NamedTuple

from tfdfm import data
from tfdfm.arrays import LabelledImages
from tfdfm.classifiers import lookup, of_data
from tfdfm.classifiers.lookup import Classifier
from tfdfm.errors import UsageError
from tfdfm.evaluation import subjects
from tfdfm.evaluation.scores import Task
from tfdfm.runs import ensembles, test_error
from tfdfm.sampling import restore
from tfdfm.training import build

SVM = 10_000  # labelled images at most, for the separability of features
NUM = 50_000  # samples of a run


class Request(NamedTuple):
    """The flags of tfdfm.evaluate that say what to score."""

    run_dir: Path | None
    images: str | None
    checkpoint: str = "last"
    reference: str | None = None
    classifier: str | None = None
    num: int | None = None
    seed: int = 0
    splits: int = 10
    data_dir: str | None = None

    def task(self) -> Task:
        """The samples, what they are held against and by which classifier."""
        reference = self.real()
        fake = self.subject()
        of_run = {"discriminator": self._discriminator(reference), "test": self._test()}
        return Task(fake, reference, self.classifier_found(), splits=self.splits, **of_run)

    def subject(self) -> subjects.Subject:
        if self.run_dir:
            return subjects.of_run(self.run_dir, self.checkpoint, self.num or NUM, self.seed)
        return subjects.of_images(self.images, self.num, self.data_dir)

    def real(self) -> subjects.Reference | None:
        name, size = self._reference
        return subjects.reference(name, size, self.data_dir, self._classes()) if name else None

    def classifier_found(self, default: str | None = None) -> Classifier:
        """The classifier asked for; by default the one of the reference's own labels, EfficientNet if it has none."""
        name, size = self._reference
        known = bool(name) and subjects.labelled(name, self.data_dir)
        asked = self.classifier or default or ("dataset" if known else "efficientnet_lite0")
        if asked == "dataset" and not name:
            raise UsageError("The classifier 'dataset' learns from the labels of real images: set --reference.")
        if not name:
            return lookup.find(asked)
        return of_data.find(asked, subjects.training_set(name), size, self.data_dir)

    @property
    def _reference(self) -> tuple[str | None, int | None]:
        """Name and image size of the real images; a run's own by default."""
        if not self.run_dir:
            return self.reference, None
        config, *_ = restore.described(self.run_dir)
        return self.reference or config.dataset, config.image_size

    def _classes(self) -> range | None:
        """The classes of its data that the run learns from; None: all, or scored against other data."""
        if self.reference or not self.run_dir:
            return None
        return self._own(restore.described(self.run_dir)[0])

    def _own(self, config) -> range | None:
        """The classes of its data that a recipe learns from; None: all."""
        count = data.describe(config.dataset, config.image_size, self.data_dir).num_classes or 0
        found = ensembles.own_classes(config, count)
        return None if found == range(count) else found

    def _test(self):
        """What the test error needs, made when asked for; None of a run that tells no classes."""
        if not self.run_dir:
            return None
        config, *_ = restore.described(self.run_dir)
        if ensembles.is_ensemble(config) or not build.classifies(config):
            return None

        def made():
            found = subjects.reference(f"{config.dataset}:test", config.image_size, self.data_dir, self._own(config))
            images = data.Images(found.name, "", found.images, found.labels, found.class_names)
            images = ensembles.own(config, images)
            return test_error.HeldOut(
                restore.discriminator(self.run_dir, self.checkpoint), images
            ).error(), found.record

        return made

    def _discriminator(self, reference: subjects.Reference | None):
        """What separability needs, made when asked for; None where it cannot be had."""
        if not (self.run_dir and reference and reference.labels is not None):
            return None

        def made():
            layers = restore.activations(self.run_dir, self.checkpoint)
            name, size = self._reference
            sets = of_data.sets(subjects.training_set(name), size, self.data_dir)
            return layers, *(LabelledImages(*(part[:: -(-len(part) // SVM)] for part in each)) for each in sets)

        return made
