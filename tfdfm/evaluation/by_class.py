"""Class by class: similarity of samples, accuracy, at several resolutions, and both (AC-GAN, sections 4.1 to 4.3)."""

from typing import Any

import numpy as np

from tfdfm.classifiers.binding import Classifier
from tfdfm.evaluation import scatter
from tfdfm.evaluation.evaluation import Evaluation
from tfdfm.metrics import samples
from tfdfm.metrics.accuracy import Accuracy, accuracy, accuracy_by_resolution, joint
from tfdfm.metrics.ms_ssim import Similarity

SMALLEST = 8  # pixels, of the resolutions at which samples are classified


def resolutions(images: np.ndarray, labels: np.ndarray, classifier: Classifier) -> dict[int, Accuracy]:
    """{pixels: accuracy of images uint8 [N, H, W, C]}, their own size first, each other half of the one before."""
    side = images[:1].shape[1]
    sizes = [side >> halved for halved in range(side.bit_length()) if side >> halved >= min(SMALLEST, side)]
    return accuracy_by_resolution(images, labels, sizes, lambda x: classifier.of_classes(classifier.run(x)[1]))


def accuracy_and_similarity(this: Evaluation, pairs: int) -> tuple[Accuracy, Similarity, Similarity]:
    """Accuracy of the samples; MS-SSIM of so many pairs inside each class of the samples, and of the data."""
    similar = samples.similarity(this.scored.images, this.labels, this.keys, pairs)
    data = samples.similarity(this.reference.images, this.reference.labels, this.reference_keys, pairs)
    return accuracy(this.class_logits, this.labels), similar, data


def similarity_record(this: Evaluation, pairs: int) -> dict[str, Any]:
    """What the record of `ms_ssim` says."""
    found = samples.similarity(this.scored.images, this.scored.labels, this.keys, pairs)
    about, names = {"value": float(found.values.mean())}, this.scored.class_names
    if names:
        about |= {"spread": float(found.values.std()), "per_class": per_class(names, found.labels, found.values)}
    return about | {"pairs": pairs, "classes_scored": len(found.labels)}


def accuracy_record(this: Evaluation) -> dict[str, Any]:
    """What the record of `accuracy` says."""
    found = accuracy(this.class_logits, this.labels)
    return {"value": found.value, "per_class": per_class(this.reference.class_names, found.labels, found.values)}


def resolution_record(this: Evaluation) -> dict[str, Any]:
    """What the record of `accuracy_by_resolution` says."""
    found = resolutions(this.scored.images, this.labels, this.classifier)
    full, half, *_ = (*found.values(), None)
    of_classes = np.stack([each.values for each in found.values()], 1)  # [C, sizes]
    about = {
        "value": full.value,
        "resolutions": {str(size): each.value for size, each in found.items()},
        "per_class": per_class(this.reference.class_names, full.labels, of_classes),
    }
    higher = {"higher_than_at_half": float(np.mean(full.values > half.values))} if half else {}  # AC-GAN, section 4.1
    return about | higher


def joint_record(this: Evaluation, pairs: int) -> tuple[dict[str, Any], np.ndarray]:
    """What the record of `accuracy_and_ms_ssim` says, and its picture."""
    accurate, similar, data = accuracy_and_similarity(this, pairs)
    found, names = joint(accurate, similar, data.values.max())._asdict(), this.reference.class_names
    about = {
        "value": found.pop("correlation"),
        "per_class": per_class(names, accurate.labels, np.stack([accurate.values, similar.values], 1)),
        "data_per_class": per_class(names, data.labels, data.values),
    }
    return about | found, scatter.draw(accurate, similar, data)


def per_class(names: tuple[str, ...], labels: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    """{name of a class: its value or values}, of values [C] or [C, N] of the labels [C]."""
    return {names[label]: value.tolist() for label, value in zip(labels, values, strict=True)}
