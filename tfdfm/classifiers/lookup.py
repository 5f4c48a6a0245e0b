"""The networks that make the features and logits of which scores are made, found by name."""

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfdfm import data
from tfdfm.arrays import LabelledImages
from tfdfm.classifiers import dataset, dinov2_clip, efficientnet, inception2015, inception_file, model_file
from tfdfm.classifiers.binding import Classifier
from tfdfm.errors import Failure, UsageError, nearest

NAMES = ("dataset", "efficientnet_lite0", "inception2015")
Sets = Callable[[], tuple[LabelledImages, LabelledImages]]


def find(name: str, sets: Sets | None = None, cache_dir: str | None = None) -> Classifier:
    """The classifier of that name.

    Args:
        name: one of NAMES, "inception2015:" and a path, URL or TF-Hub handle, "dinov2:" or "clip:" and the path of its
            weights (see `dinov2_clip`), or the path of a SavedModel or Keras file (see `model_file`).
        sets: gives the labelled training and held-out images, of which `dataset` learns; None: there are no labels.
        cache_dir: where what is trained or fetched is kept.

    Raises:
        UsageError: no such classifier, or it lacks what it needs.
        Failure: it cannot be fetched, or its file is damaged or another one. Both say how to get it and which are here.
    """
    try:
        return _find(name, sets, cache_dir)._replace(name=name)
    except (UsageError, Failure) as error:
        others = [other for other in here(sets is not None, cache_dir) if other != name]
        raise type(error)(f"{error} Other classifiers here: {', '.join(others) or 'none'}.") from error


def here(labelled: bool, cache_dir: str | None = None) -> list[str]:
    """Those of NAMES that can be used now, of a reference set with labels or without."""
    found = [
        labelled,
        importlib.util.find_spec(efficientnet.PACKAGE) is not None,
        inception_file.kept(cache_dir=cache_dir).exists(),
    ]
    return [name for name, usable in zip(NAMES, found, strict=True) if usable]


def of_data(name: str, dataset: str, image_size: int | None = None, data_dir: str | None = None) -> Classifier:
    """The classifier `name` for a data set's images; "dataset" is trained now if it never was.

    Raises:
        UsageError: no such classifier, or one that learns from labels for a set that has none.
        Failure: it cannot be had.
    """
    labelled = data.describe(dataset, image_size, data_dir).num_classes
    return find(name, functools.partial(sets, dataset, image_size, data_dir) if labelled else None)


def sets(
    dataset: str, image_size: int | None = None, data_dir: str | None = None
) -> tuple[LabelledImages, LabelledImages]:
    """(training, held-out) images of a labelled data set: its test images, or every tenth where it has none."""
    load = functools.partial(data.load, dataset, image_size=image_size, data_dir=data_dir)
    images = load()
    try:
        held_out = load(split="test")
    except UsageError:
        last = np.arange(len(images.pixels)) % 10 == 9
        return tuple(LabelledImages(images.pixels[rows], images.labels[rows]) for rows in (~last, last))
    return LabelledImages(images.pixels, images.labels), LabelledImages(held_out.pixels, held_out.labels)


def _find(name: str, sets: Sets | None, cache_dir: str | None) -> Classifier:
    kind, _, place = name.partition(":")
    if name == "dataset" and sets is None:
        raise UsageError("The classifier 'dataset' learns from labels: take a reference set that has them.")
    if name == "dataset":
        return dataset.find(*sets(), cache_dir)
    if name == "efficientnet_lite0":
        return efficientnet.find()
    if kind == "inception2015":
        return inception2015.find(place, cache_dir)
    if kind in dinov2_clip.FILES:
        return dinov2_clip.find(kind, place)
    if (path := Path(name).expanduser()).exists():
        return model_file.find(path)
    paths = ["inception2015:PATH", "dinov2:PATH", "clip:PATH", "the path of a SavedModel or .keras"]
    raise UsageError(nearest("classifier", name, [*NAMES, *paths]))
