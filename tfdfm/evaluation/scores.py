"""Every score by name: what it needs, and what its record says beside the value."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from tfdfm import arrays
from tfdfm.classifiers import dinov2_clip, inception_file
from tfdfm.errors import UsageError, nearest
from tfdfm.evaluation import by_class
from tfdfm.evaluation.evaluation import Evaluation
from tfdfm.images import grid
from tfdfm.metrics import cmmd, inception_score, kid, nearest_neighbours, precision_recall, samples, sliced_wasserstein
from tfdfm.metrics.authenticity import authenticity
from tfdfm.metrics.separability import best_cost, separability

SUBSETS, SUBSET = 100, 1000  # of the kernel distance
MANIFOLD, PATCHED, NEIGHBOURS = 10_000, 1000, 100  # samples at most: all pairs, patches, nearest neighbours
PAIRS = 100  # of each class


class Found(NamedTuple):
    """What a metric, or an evaluation, has found."""

    records: dict[str, dict[str, Any]]  # by the name of a value
    pictures: dict[str, np.ndarray] = {}  # uint8 [H, W, C]


class Metric(NamedTuple):
    compute: Callable[[Evaluation], Found]
    needs: tuple[str, ...]
    default: bool = True


def evaluate(this: Evaluation, asked: Iterable[str] | None = None) -> tuple[Found, dict[str, str]]:
    """All scores asked for, or every cheap one that can be had; and of those left out for want of samples: why.

    Raises:
        UsageError: a metric that is unknown or asked for in vain.
    """
    names, records, pictures, left_out = select(asked, this), {}, {}, {}
    if need_classifier(names):
        this.features  # noqa: B018 - first: the samples, made once, give their keys, too
    for name in names:
        try:
            found = score(this, name)
        except ValueError as error:
            if asked is not None:
                raise UsageError(f"{name}: {error}") from error
            left_out[name] = str(error)
        else:
            records |= found.records
            pictures |= found.pictures
        logging.info("%s: done.", name)
    return Found(records, pictures), left_out


def need_classifier(asked: Iterable[str] | None) -> bool:
    """Whether one of these metrics, or of the cheap ones, is of a classifier's features."""
    named = METRICS if asked is None else [ALIASES.get(name, name) for name in asked]
    return any("classifier" in METRICS[name].needs for name in named if name in METRICS)


def select(asked: Iterable[str] | None, this: Evaluation) -> list[str]:
    """The metrics asked for, or all cheap ones that what is here allows.

    Raises:
        UsageError: an unknown one, or one that needs what is not here.
    """
    if asked is None:
        return [name for name, metric in METRICS.items() if metric.default and not missing(metric, this)]
    names = list(dict.fromkeys(ALIASES.get(name, name) for name in asked))
    for name in names:
        if name not in METRICS:
            raise UsageError(nearest("metric", name, METRICS) + " Set --metrics.")
        if lacking := missing(METRICS[name], this):
            raise UsageError(f"{name} needs {HOW[lacking]}.")
    return names


def missing(metric: Metric, this: Evaluation) -> str | None:
    """The first of its needs that is not here."""
    here = {
        "classifier": this.classifier,
        "logits": this.classifier and this.classifier.num_classes,
        "clip": this.classifier and this.classifier.record.get("name") == "clip",
        "reference": this.reference,
        "labels": this.labels is not None,
        "own classes": this.classifier and this.reference and this.classifier.tells(this.reference.class_names),
        "layers": this.load_layers,
        "test error": this.load_test_error,
    }
    return next((need for need in metric.needs if not here[need]), None)


HOW = {
    "classifier": "a classifier: set --classifier",
    "logits": "a classifier of classes, and this one gives features alone: set another --classifier",
    "clip": "CLIP's embeddings: set --classifier=clip:PATH, the model.safetensors of "
    + dinov2_clip.FILES["clip"].published,
    "reference": "real images: set --reference to a data set or a folder",
    "labels": "samples with classes that the reference has: a conditional run, or a folder with a sub-folder for each",
    "own classes": "a classifier of the reference's own classes: set --classifier=dataset; of ImageNet's, "
    f"inception2015 with the label map that lies beside the graph in {inception_file.URL}",
    "layers": "an encoder, or the discriminator of an unconditional run, and data with labels: set --run_dir",
    "test error": "a run whose discriminator tells the classes of data with test images: set --run_dir",
}


def score(this: Evaluation, name: str) -> Found:
    """The records and pictures of one metric; a record has value, then all that another value must share to compare.

    Raises:
        ValueError: samples that this metric cannot be computed of.
    """
    metric = METRICS[name]
    conditions = {"samples": len(this.scored.images)}
    if "classifier" in metric.needs:
        conditions["classifier"] = this.classifier.record
    if "reference" in metric.needs:
        conditions["reference"] = this.reference.record
    found = metric.compute(this)
    records = {key: {"value": None, **conditions, **each, "of": this.scored.of} for key, each in found.records.items()}
    return found._replace(records=records)


def _inception(this: Evaluation) -> Found:
    found = samples.inception(this.features, this.splits)
    return Found({_named("inception_score", this): found._asdict() | {"splits": this.splits}})


def _modified(this: Evaluation) -> Found:
    value = inception_score.modified_inception_score(this.features.logits)
    return Found({_named("modified_inception_score", this): {"value": value}})


def _named(name: str, this: Evaluation) -> str:
    """EfficientNet's scores look like Inception's (ImageNet's classes too) and are not."""
    return name.replace("inception", "classifier") if this.classifier.name == "efficientnet_lite0" else name


def _frechet(this: Evaluation) -> Found:
    return Found({"frechet_distance": {"value": samples.frechet(this.reference_statistics, this.features)}})


def _kernel(this: Evaluation) -> Found:
    real, fake = this.reference_features, this.features
    size = min(SUBSET, len(real.features), len(fake.features))
    found = kid.kernel_distance(real.features, fake.features, SUBSETS, size, keys=(real.keys, fake.keys))
    return Found({"kernel_distance": found._asdict() | {"subsets": SUBSETS, "subset": size}})


def _manifold(this: Evaluation) -> Found:
    real, fake = _thinned(this)
    found = precision_recall.manifolds(real, fake)._asdict()
    about, neighbours = {"samples": len(fake), "real_samples": len(real)}, precision_recall.NEIGHBOURS
    return Found({name: {"value": value, **about, "neighbours": neighbours[name]} for name, value in found.items()})


def _cmmd(this: Evaluation) -> Found:
    real, fake = _thinned(this)
    about = {"samples": len(fake), "real_samples": len(real), "sigma": cmmd.SIGMA, "scale": cmmd.SCALE}
    return Found({"cmmd": {"value": cmmd.cmmd(real, fake), **about}})


def _thinned(this: Evaluation) -> list[np.ndarray]:
    """MANIFOLD real and fake features at most, whatever the order in which they came."""
    both = this.reference_features, this.features
    return [which.features[arrays.shuffled(which.keys, 0)[:MANIFOLD]] for which in both]


def _authenticity(this: Evaluation) -> Found:
    return Found(
        {"authenticity": {"value": authenticity(this.reference_features.features, this.features.features).value}}
    )


def _similarity(this: Evaluation) -> Found:
    return Found({"ms_ssim": by_class.similarity_record(this, PAIRS)})


def _accuracy(this: Evaluation) -> Found:
    return Found({"accuracy": by_class.accuracy_record(this)})


def _resolutions(this: Evaluation) -> Found:
    return Found({"accuracy_by_resolution": by_class.resolution_record(this)})


def _joint(this: Evaluation) -> Found:
    record, picture = by_class.joint_record(this, PAIRS)
    return Found({"accuracy_and_ms_ssim": record | {"pairs": PAIRS}}, {"accuracy_and_ms_ssim": picture})


def _neighbours(this: Evaluation) -> Found:
    chosen = this.scored.images[np.sort(this.chosen(NEIGHBOURS))]
    found = nearest_neighbours.nearest(chosen, this.reference.images)
    pairs = np.stack([chosen, this.reference.images[found.rows]], 1).reshape(-1, *chosen.shape[1:])
    per_pixel = found.distances / np.prod(chosen.shape[1:])
    about = {"spread": float(per_pixel.std()), "samples": len(chosen), "rows": found.rows.tolist()}
    record = {"value": float(per_pixel.mean())} | about
    return Found({"nearest_neighbours": record}, {"nearest_neighbours": grid(pairs, 20)})


def _wasserstein(this: Evaluation) -> Found:
    count = min(PATCHED, len(this.scored.images), len(this.reference.images))
    every = len(this.reference.images) // count
    real = this.reference.images[::every][:count]
    levels = sliced_wasserstein.sliced_wasserstein(real, this.scored.images[np.sort(this.chosen(count))])
    about = {str(level.side): {"distance": level.distance, "floor": level.floor} for level in levels}
    mean = float(np.mean([level.distance for level in levels]))
    return Found({"sliced_wasserstein_distance": {"value": mean, "samples": count, "levels": about}})


def _separability(this: Evaluation) -> Found:
    network, layers, training, held_out = this.layers
    cost = best_cost(layers, training) if network == "encoder" else 1.0
    record = {"samples": len(held_out.images), "training_samples": len(training.images)}
    record |= {"network": network, "cost": cost}
    return Found({"separability": {"value": separability(layers, training, held_out, cost)} | record})


def _test_error(this: Evaluation) -> Found:
    error, reference = this.test_error
    return Found({"test_error": {"value": error, "samples": reference["images"], "reference": reference}})


METRICS = {
    "inception_score": Metric(_inception, ("classifier", "logits")),
    "modified_inception_score": Metric(_modified, ("classifier", "logits")),
    "frechet_distance": Metric(_frechet, ("classifier", "reference")),
    "kernel_distance": Metric(_kernel, ("classifier", "reference")),
    "precision_recall_density_coverage": Metric(_manifold, ("classifier", "reference")),
    "cmmd": Metric(_cmmd, ("classifier", "reference", "clip")),
    "ms_ssim": Metric(_similarity, ()),
    "accuracy": Metric(_accuracy, ("classifier", "labels", "own classes")),
    "test_error": Metric(_test_error, ("test error",)),
    "accuracy_by_resolution": Metric(_resolutions, ("classifier", "labels", "own classes"), default=False),
    "accuracy_and_ms_ssim": Metric(_joint, ("classifier", "labels", "own classes"), default=False),
    "authenticity": Metric(_authenticity, ("classifier", "reference"), default=False),
    "nearest_neighbours": Metric(_neighbours, ("reference",), default=False),
    "sliced_wasserstein_distance": Metric(_wasserstein, ("reference",), default=False),
    "separability": Metric(_separability, ("layers",), default=False),
}
ALIASES = dict.fromkeys(precision_recall.NEIGHBOURS, "precision_recall_density_coverage") | {
    name.replace("inception", "classifier"): name for name in ("inception_score", "modified_inception_score")
}
