"""Scores class by class: MS-SSIM, accuracy, accuracy by resolution, and accuracy beside MS-SSIM."""

from typing import Any

import numpy as np

from tfdfm.evaluation import scatter
from tfdfm.evaluation.evaluation import Evaluation, Found
from tfdfm.metrics import accuracy as accuracies
from tfdfm.metrics import samples

PAIRS = 100  # of each class
SMALLEST = 8  # pixels, of the resolutions at which samples are classified


def ms_ssim(this: Evaluation) -> Found:
    found = samples.similarity(this.scored.images, this.scored.labels, this.keys, PAIRS)
    record, names = {"value": float(found.values.mean())}, this.scored.class_names
    if names:
        record |= {"spread": float(found.values.std()), "per_class": _per_class(names, found.labels, found.values)}
    return Found({"ms_ssim": record | {"pairs": PAIRS, "classes_scored": len(found.labels)}})


def accuracy(this: Evaluation) -> Found:
    found = accuracies.accuracy(this.class_logits, this.labels)
    per_class = _per_class(this.reference.class_names, found.labels, found.values)
    return Found({"accuracy": {"value": found.value, "per_class": per_class}})


def accuracy_by_resolution(this: Evaluation) -> Found:
    side, classifier = this.scored.images[:1].shape[1], this.classifier
    sizes = [side >> halved for halved in range(side.bit_length()) if side >> halved >= min(SMALLEST, side)]
    found = accuracies.accuracy_by_resolution(
        this.scored.images, this.labels, sizes, lambda batch: classifier.of_classes(classifier.run(batch)[1])
    )
    about = {"resolutions": {str(size): found[size].value for size in sizes}}
    of_classes = np.stack([found[size].values for size in sizes], 1)  # [C, sizes]
    about["per_class"] = _per_class(this.reference.class_names, found[side].labels, of_classes)
    if len(sizes) > 1:
        about["higher_than_at_half"] = float(np.mean(of_classes[:, 0] > of_classes[:, 1]))  # AC-GAN, section 4.1
    return Found({"accuracy_by_resolution": {"value": found[side].value, **about}})


def accuracy_and_ms_ssim(this: Evaluation) -> Found:
    similar = samples.similarity(this.scored.images, this.labels, this.keys, PAIRS)
    data = samples.similarity(this.reference.images, this.reference.labels, this.reference_keys, PAIRS)
    found = accuracies.joint(accuracies.accuracy(this.class_logits, this.labels), similar, data.values.max())
    names = this.reference.class_names
    about = {
        "per_class": _per_class(names, found.labels, np.stack([found.accuracy, found.similarity], 1)),
        "data_per_class": _per_class(names, data.labels, data.values),
        **{key: getattr(found, key) for key in ("diverse", "discriminable_of_diverse", "discriminable_of_others")},
    }
    pictures = {"accuracy_and_ms_ssim": scatter.draw(found, data)}
    return Found({"accuracy_and_ms_ssim": {"value": found.correlation, **about, "pairs": PAIRS}}, pictures)


def _per_class(names: tuple[str, ...], labels: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    return {names[label]: value.tolist() for label, value in zip(labels, values, strict=True)}
