"""The parts of an evaluation: images, reference and classifier, and what is computed of them on first use."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tfdfm import arrays
from tfdfm.classifiers.binding import Classifier
from tfdfm.classifiers.features import Features, cached, features
from tfdfm.evaluation.image_sets import ReferenceImages, ScoredImages
from tfdfm.metrics import fid
from tfdfm.progress import progress


@dataclass
class Evaluation:
    """Images to be scored, against what and by what."""

    scored: ScoredImages
    reference: ReferenceImages | None = None
    classifier: Classifier | None = None
    splits: int = 10
    load_layers: Callable[[], tuple] | None = None  # of a run, as `layers`
    load_test_error: Callable[[], tuple[float, dict]] | None = None  # of a run that classifies: percent, test images

    @cached_property
    def features(self) -> Features:
        """Of the scored images."""
        images = self.scored.images
        if self.scored.stored:
            return cached(images, self.classifier, progress("Images", len(images)))
        return features(images, self.classifier, progress("Samples", len(images)))

    @property
    def class_logits(self) -> np.ndarray:
        """float32 [N, K] of the reference's classes, where the classifier tells them."""
        return self.classifier.of_classes(self.features.logits)

    @cached_property
    def reference_features(self) -> Features:
        images = self.reference.images
        return cached(images, self.classifier, progress("Reference", len(images)))

    @cached_property
    def reference_statistics(self) -> fid.Statistics:
        return fid.statistics(self.reference_features.features)

    @cached_property
    def keys(self) -> np.ndarray:
        """uint8 [N, 32]: tells the scored images apart. Those of the features once there are any."""
        if "features" in vars(self):
            return self.features.keys
        return arrays.digests(self.scored.images)

    @cached_property
    def reference_keys(self) -> np.ndarray:
        """uint8 [N, 32], of the reference's images."""
        return arrays.digests(self.reference.images)

    @cached_property
    def labels(self) -> np.ndarray | None:
        """int64 [N] the classes asked for, as the reference numbers them."""
        return self.scored.labels_among(self.reference.class_names) if self.reference else None

    @cached_property
    def layers(self) -> tuple:
        """("encoder" or "discriminator", activations of its layers, training images, held-out images)"""
        return self.load_layers()

    @cached_property
    def test_error(self) -> tuple[float, dict]:
        """(percent, record of the test images)"""
        return self.load_test_error()

    def chosen(self, count: int) -> np.ndarray:
        """Rows of at most `count` images, whatever the order in which they came."""
        return arrays.shuffled(self.keys, 0)[:count]
