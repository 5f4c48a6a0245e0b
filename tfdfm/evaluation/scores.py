"""Every score by name: what it needs, and what its record says beside the value."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from tfdfm import arrays
from tfdfm import images as pictures
from tfdfm.arrays import blocks, digests
from tfdfm.classifiers.features import Features
from tfdfm.classifiers.lookup import Classifier
from tfdfm.errors import UsageError, nearest
from tfdfm.evaluation.subjects import Reference, Subject, asked_labels
from tfdfm.metrics import fid, inception_score, kid, ms_ssim, nearest_neighbours, precision_recall, sliced_wasserstein
from tfdfm.metrics.accuracy import accuracy, accuracy_by_resolution, joint
from tfdfm.metrics.separability import separability

SUBSETS, SUBSET = 100, 1000  # of the kernel distance
MANIFOLD, PATCHED, SHOWN = 10_000, 1000, 100  # samples at most: precision and recall, patches, nearest neighbours
PAIRS = 100  # of each class
SMALLEST = 8  # pixels, of the resolutions at which samples are classified


@dataclass
class Task:
    """What the scores are made of."""

    subject: Subject
    reference: Reference | None = None
    classifier: Classifier | None = None
    fake: Features | None = None  # of the subject's images, where there is a classifier
    real: Features | None = None  # of the reference's
    splits: int = 10
    discriminator: Callable[[], tuple] | None = None  # layers, training and held-out images, of a run
    test: Callable[[], tuple[float, dict]] | None = None  # error and what it was tested on, of a run that classifies
    pictures: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def keys(self) -> np.ndarray:
        if self.fake:
            return self.fake.keys
        images = self.subject.images
        return np.concatenate([digests(images[block]) for block in blocks(len(images), 256)])

    @cached_property
    def labels(self) -> np.ndarray | None:
        """int64 [N] the classes asked for, as the reference numbers them."""
        return asked_labels(self.subject, self.reference.class_names) if self.reference else None

    def chosen(self, count: int) -> np.ndarray:
        """Rows of at most `count` images, whatever the order in which they came."""
        return arrays.shuffled(self.keys, 0)[:count]


class Metric(NamedTuple):
    compute: Callable[[Task], dict[str, dict[str, Any]]]
    needs: tuple[str, ...]
    default: bool = True


def select(asked: Iterable[str] | None, task: Task) -> list[str]:
    """The metrics asked for, or all cheap ones that what is here allows.

    Raises:
        UsageError: an unknown one, or one that needs what is not here.
    """
    if asked is None:
        return [name for name, metric in METRICS.items() if metric.default and not missing(metric, task)]
    names = [ALIASES.get(name, name) for name in asked]
    for name in names:
        if name not in METRICS:
            raise UsageError(nearest("metric", name, METRICS) + " Set --metrics.")
        if lacking := missing(METRICS[name], task):
            raise UsageError(f"{name} needs {HOW[lacking]}.")
    return names


def missing(metric: Metric, task: Task) -> str | None:
    """The first of its needs that is not here."""
    here = {
        "classifier": task.classifier,
        "reference": task.reference,
        "labels": task.labels is not None,
        "own classes": task.classifier
        and task.reference
        and task.classifier.num_classes == len(task.reference.class_names),
        "discriminator": task.discriminator,
        "classes": task.test,
    }
    return next((need for need in metric.needs if not here[need]), None)


HOW = {
    "classifier": "a classifier: set --classifier",
    "reference": "real images: set --reference to a data set or a folder",
    "labels": "samples with classes that the reference has: a conditional run, or a folder with a sub-folder for each",
    "own classes": "a classifier of the reference's own classes: set --classifier=dataset",
    "discriminator": "the discriminator of an unconditional run and a data set with labels: set --run_dir",
    "classes": "a run whose discriminator tells the classes of data with test images: set --run_dir",
}


def score(task: Task, name: str) -> dict[str, dict]:
    """{name of a value: its record} of one metric: value, then all that another value must share to compare.

    Raises:
        ValueError: samples that this metric cannot be computed of.
    """
    metric = METRICS[name]
    conditions = {"samples": len(task.subject.images)}
    if "classifier" in metric.needs:
        conditions["classifier"] = task.classifier.record
    if "reference" in metric.needs:
        conditions["reference"] = task.reference.record
    return {
        key: {"value": None, **conditions, **entry, "of": task.subject.of}
        for key, entry in metric.compute(task).items()
    }


def _inception(task: Task) -> dict:
    found = inception_score.inception_score(task.fake.logits, task.splits, keys=task.fake.keys)
    return {_named("inception_score", task): {"value": found.value, "spread": found.spread, "splits": task.splits}}


def _modified(task: Task) -> dict:
    return {
        _named("modified_inception_score", task): {"value": inception_score.modified_inception_score(task.fake.logits)}
    }


def _named(name: str, task: Task) -> str:
    """EfficientNet's scores look like Inception's (ImageNet's classes too) and are not."""
    return name.replace("inception", "classifier") if task.classifier.name == "efficientnet_lite0" else name


def _frechet(task: Task) -> dict:
    real, fake = (fid.statistics(which.features) for which in (task.real, task.fake))
    return {"frechet_distance": {"value": fid.frechet_distance(real, fake)}}


def _kernel(task: Task) -> dict:
    size = min(SUBSET, len(task.real.features), len(task.fake.features))
    keys = (task.real.keys, task.fake.keys)
    found = kid.kernel_distance(task.real.features, task.fake.features, SUBSETS, size, keys=keys)
    return {"kernel_distance": {"value": found.value, "spread": found.spread, "subsets": SUBSETS, "subset": size}}


def _manifold(task: Task) -> dict:
    real, fake = (which.features[arrays.shuffled(which.keys, 0)[:MANIFOLD]] for which in (task.real, task.fake))
    found = precision_recall.precision_and_recall(real, fake)
    about = {"samples": len(fake), "real_samples": len(real), "neighbours": 3}
    return {"precision": {"value": found.precision} | about, "recall": {"value": found.recall} | about}


def _similar(task: Task) -> ms_ssim.Similarity:
    labels = task.subject.labels
    labels = np.zeros(len(task.subject.images), np.int64) if labels is None else labels
    return ms_ssim.class_similarity(task.subject.images, labels, PAIRS, keys=task.keys)


def _similarity(task: Task) -> dict:
    found, names = _similar(task), task.subject.class_names
    per_class = _by_class(names, found.labels, found.values) if names else {}
    about = {"spread": float(found.values.std()), "per_class": per_class} if names else {}
    return {
        "ms_ssim": {"value": float(found.values.mean())} | about | {"pairs": PAIRS, "classes_scored": len(found.labels)}
    }


def _accuracy(task: Task) -> dict:
    found = accuracy(task.fake.logits, task.labels)
    classes = _by_class(task.reference.class_names, found.labels, found.values)
    return {"accuracy": {"value": found.value, "per_class": classes}}


def _resolutions(task: Task) -> dict:
    side = task.subject.images[:1].shape[1]
    sizes = [side >> halved for halved in range(side.bit_length()) if side >> halved >= min(SMALLEST, side)]
    images, labels = task.subject.images, task.labels
    found = accuracy_by_resolution(images, labels, sizes, lambda batch: task.classifier.run(batch)[1])
    about = {str(size): found[size].value for size in sizes}
    return {"accuracy_by_resolution": {"value": found[side].value, "resolutions": about}}


def _joint(task: Task) -> dict:
    similar = ms_ssim.class_similarity(task.subject.images, task.labels, PAIRS, keys=task.keys)
    found = joint(accuracy(task.fake.logits, task.labels), similar)
    pairs = np.stack([found.accuracy, found.similarity], 1)
    classes = _by_class(task.reference.class_names, found.labels, pairs)
    return {"accuracy_and_ms_ssim": {"value": found.correlation, "per_class": classes, "pairs": PAIRS}}


def _by_class(names: tuple[str, ...], classes: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    return {names[label]: value.tolist() for label, value in zip(classes, values, strict=True)}


def _neighbours(task: Task) -> dict:
    samples = task.subject.images[np.sort(task.chosen(SHOWN))]
    found = nearest_neighbours.nearest(samples, task.reference.images)
    near = task.reference.images[found.rows]
    columns = np.stack([samples, near], 1).reshape(-1, *samples.shape[1:])
    task.pictures["nearest_neighbours"] = pictures.grid(columns, 20)
    per_pixel = found.distances / np.prod(samples.shape[1:])
    about = {"spread": float(per_pixel.std()), "samples": len(samples), "rows": found.rows.tolist()}
    return {"nearest_neighbours": {"value": float(per_pixel.mean())} | about}


def _wasserstein(task: Task) -> dict:
    count = min(PATCHED, len(task.subject.images), len(task.reference.images))
    every = len(task.reference.images) // count
    real = task.reference.images[::every][:count]
    levels = sliced_wasserstein.sliced_wasserstein(real, task.subject.images[np.sort(task.chosen(count))])
    about = {str(level.side): {"distance": level.distance, "floor": level.floor} for level in levels}
    mean = float(np.mean([level.distance for level in levels]))
    return {"sliced_wasserstein_distance": {"value": mean, "samples": count, "levels": about}}


def _separability(task: Task) -> dict:
    layers, training, held_out = task.discriminator()
    value = separability(layers, training, held_out)
    return {"separability": {"value": value, "samples": len(held_out.images), "training_samples": len(training.images)}}


def _test(task: Task) -> dict:
    error, reference = task.test()
    return {"test_error": {"value": error, "samples": reference["images"], "reference": reference}}


METRICS = {
    "inception_score": Metric(_inception, ("classifier",)),
    "modified_inception_score": Metric(_modified, ("classifier",)),
    "frechet_distance": Metric(_frechet, ("classifier", "reference")),
    "kernel_distance": Metric(_kernel, ("classifier", "reference")),
    "precision_and_recall": Metric(_manifold, ("classifier", "reference")),
    "ms_ssim": Metric(_similarity, ()),
    "accuracy": Metric(_accuracy, ("classifier", "labels", "own classes")),
    "test_error": Metric(_test, ("classes",)),
    "accuracy_by_resolution": Metric(_resolutions, ("classifier", "labels", "own classes"), default=False),
    "accuracy_and_ms_ssim": Metric(_joint, ("classifier", "labels", "own classes"), default=False),
    "nearest_neighbours": Metric(_neighbours, ("reference",), default=False),
    "sliced_wasserstein_distance": Metric(_wasserstein, ("reference",), default=False),
    "separability": Metric(_separability, ("discriminator",), default=False),
}
ALIASES = {"precision": "precision_and_recall", "recall": "precision_and_recall"} | {
    name.replace("inception", "classifier"): name for name in ("inception_score", "modified_inception_score")
}
