"""The classifiers that score a data set's samples, and the labelled images of which the set's own one learns."""

import functools

import numpy as np

from tfdfm import data
from tfdfm.arrays import LabelledImages
from tfdfm.classifiers import lookup
from tfdfm.classifiers.lookup import Classifier
from tfdfm.errors import UsageError


def find(name: str, dataset: str, image_size: int | None = None, data_dir: str | None = None) -> Classifier:
    """The classifier `name` of `tfdfm.classifiers.lookup`; "dataset" is trained now if it never was.

    Raises:
        UsageError: no such classifier, or one that learns from labels for a set that has none.
        Failure: it cannot be had.
    """
    labelled = data.describe(dataset, image_size, data_dir).num_classes
    return lookup.find(name, functools.partial(sets, dataset, image_size, data_dir) if labelled else None)


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
