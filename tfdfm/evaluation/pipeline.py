"""From images to scores: features of the subject and of the reference, then every metric asked for."""

from collections.abc import Iterable
from typing import NamedTuple

from absl import logging

from tfdfm.classifiers.features import Features, cached, features
from tfdfm.classifiers.lookup import Classifier
from tfdfm.errors import UsageError
from tfdfm.evaluation import scores
from tfdfm.evaluation.subjects import Subject
from tfdfm.progress import progress


class Evaluation(NamedTuple):
    scores: dict[str, dict]
    left_out: dict[str, str]  # by default, but for want of samples: why
    pictures: dict


def evaluate(task: scores.Task, asked: Iterable[str] | None = None) -> Evaluation:
    """All scores asked for, or every cheap one that can be had.

    Raises:
        UsageError: a metric that is unknown or asked for in vain.
    """
    names = scores.select(asked, task)
    _fill(task, names)
    found, left_out = {}, {}
    for name in names:
        try:
            found |= scores.score(task, name)
        except ValueError as error:
            if asked is not None:
                raise UsageError(f"{name}: {error}") from error
            left_out[name] = str(error)
        logging.info("%s: done.", name)
    return Evaluation(found, left_out, task.pictures)


def features_of(subject: Subject, classifier: Classifier) -> Features:
    if subject.stored:
        return cached(subject.images, classifier, progress("Images", len(subject.images)))
    return features(subject.images, classifier, progress("Samples", len(subject.images)))


def _fill(task: scores.Task, names: list[str]) -> None:
    """The features that these metrics need."""
    needs = [set(scores.METRICS[name].needs) for name in names]
    if any("classifier" in need for need in needs):
        task.fake = features_of(task.subject, task.classifier)
    if any({"classifier", "reference"} <= need for need in needs):
        images = task.reference.images
        task.real = cached(images, task.classifier, progress("Reference", len(images)))
