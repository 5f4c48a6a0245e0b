"""A user's request for scores, and the images, the classifier and the networks that it takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ml_collections import ConfigDict

from tfdfm import data, networks
from tfdfm.arrays import LabelledImages
from tfdfm.classifiers import lookup
from tfdfm.classifiers.binding import Classifier
from tfdfm.errors import UsageError
from tfdfm.evaluation import image_sets, scores
from tfdfm.evaluation.evaluation import Evaluation
from tfdfm.runs import ensembles, error_rate
from tfdfm.sampling import restore
from tfdfm.training import build

SVM = 10_000  # labelled images at most, for the separability of features
NUM = 50_000  # samples of a run


def check_unseen(classifier: str, config: ConfigDict, other: str = "dataset") -> None:
    """Raises UsageError: the recipe's discriminator looks through that classifier; `other` could judge."""
    name = config.discriminator.network if "discriminator" in config else ""
    if name and classifier == networks.find("discriminator", name).looks_through:
        raise UsageError(
            f"Expected a classifier that this run's discriminator, {name}, did not look through: its samples were made "
            f"to please {classifier}. Set --classifier, to {other} for one."
        )


@dataclass(frozen=True)
class Request:
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

    def evaluation(self, metrics: Iterable[str] | None = None) -> Evaluation:
        """The samples, what they are held against and by which classifier, unless these metrics need none: that of a
        data set may have to be trained first."""
        reference, scored = self.reference_images(), self.scored_images()
        load = self._layers(reference), self._test_error()
        wanted = self.classifier or scores.need_classifier(metrics)
        return Evaluation(scored, reference, self.load_classifier() if wanted else None, self.splits, *load)

    def scored_images(self) -> image_sets.ScoredImages:
        if self.run_dir:
            return image_sets.of_run(self.run_dir, self.checkpoint, self.num or NUM, self.seed)
        return image_sets.of_images(self.images, self.num, self.data_dir)

    def reference_images(self) -> image_sets.ReferenceImages | None:
        name, size = self._reference
        return image_sets.reference(name, size, self.data_dir, self._labels()) if name else None

    def load_classifier(self, default: str | None = None) -> Classifier:
        """The classifier asked for; by default the one of the reference's own labels, EfficientNet if it has none."""
        name, size = self._reference
        known = bool(name) and image_sets.labelled(name, self.data_dir)
        asked = self.classifier or default or ("dataset" if known else "efficientnet_lite0")
        if self.run_dir:
            check_unseen(asked, self._config, "dataset" if known else "inception2015")
        if asked == "dataset" and not name:
            raise UsageError("The classifier 'dataset' learns from the labels of real images: set --reference.")
        if not name:
            return lookup.find(asked)
        return lookup.of_data(asked, image_sets.training_set(name), size, self.data_dir)

    @property
    def _reference(self) -> tuple[str | None, int | None]:
        """Name and image size of the real images; a run's own by default."""
        if not self.run_dir:
            return self.reference, None
        return self.reference or self._config.dataset, self._config.image_size

    @cached_property
    def _config(self) -> ConfigDict:
        """The recipe of the run."""
        return restore.described(self.run_dir)[0]

    def _labels(self) -> range | None:
        """The classes of its data that the run learns from; None: all, or scored against other data."""
        return None if self.reference or not self.run_dir else self._own()

    def _own(self) -> range | None:
        """The classes of its data that the run learns from; None: all."""
        config = self._config
        count = data.describe(config.dataset, config.image_size, self.data_dir).num_classes or 0
        found = ensembles.own_classes(config, count)
        return None if found == range(count) else found

    def _test_error(self):
        """What the test error needs, made when asked for; None of a run that tells no classes."""
        if not self.run_dir:
            return None
        config = self._config
        if ensembles.is_ensemble(config) or not build.classifies(config):
            return None

        def made():
            found = image_sets.reference(f"{config.dataset}:test", config.image_size, self.data_dir, self._own())
            images = data.Images(found.name, "", found.images, found.labels, found.class_names)
            images = ensembles.own(config, images)
            return error_rate.HeldOut(
                restore.discriminator(self.run_dir, self.checkpoint), images
            ).error(), found.record

        return made

    def _layers(self, reference: image_sets.ReferenceImages | None):
        """What separability needs, made when asked for; None where it cannot be had."""
        if not (self.run_dir and reference and reference.labels is not None):
            return None

        def made():
            layers = restore.activations(self.run_dir, self.checkpoint)
            name, size = self._reference
            training, held_out = lookup.sets(image_sets.training_set(name), size, self.data_dir)
            if self._config.num_labelled and not self.reference:
                images = data.Images(name, "", *training, reference.class_names)
                rows = data.labelled_rows(images, self._config.num_labelled, self._config.seed)
                training = LabelledImages(training.images[rows], training.labels[rows])
            few = (LabelledImages(*(part[:: -(-len(part) // SVM)] for part in each)) for each in (training, held_out))
            return "encoder" if "encoder" in self._config else "discriminator", layers, *few

        return made
