"""The papers' protocols, followed from fixed seeds, and the check that the Inception network is theirs."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from tfdfm.classifiers.binding import Classifier
from tfdfm.errors import Failure
from tfdfm.evaluation import image_sets, scores
from tfdfm.evaluation.evaluation import Evaluation
from tfdfm.evaluation.requests import Request

CLASSIFIER = "inception2015"  # unless another is asked for
GROUP = 5000  # samples
CHOSEN, REPORTED = 10, 5  # groups
REAL_IMAGES, REAL, TOLERANCE = "cifar10", 11.24, 0.05  # their Inception score (Salimans et al., 2016), and rounding


def dfm(request: Request) -> dict[str, dict]:
    """Warde-Farley & Bengio, section 2.2: the Inception score of ten groups of 5,000 samples, mean and deviation."""
    images = dataclasses.replace(request, num=CHOSEN * GROUP).scored_images()
    return _scored(images, request.load_classifier(CLASSIFIER), CHOSEN, "dfm")


def acgan(request: Request, candidates: Sequence[tuple[Path, str]]) -> tuple[Path, dict[str, dict]]:
    """Odena et al., section 4.4: the best on 50,000 samples, ten groups, reported on 25,000 others in five groups.

    Args:
        candidates: run directory and checkpoint of each.

    Returns:
        The chosen run and its score; the record lists what all candidates scored.
    """
    classifier = request.load_classifier(CLASSIFIER)
    chosen = {}
    for run_dir, checkpoint in candidates:
        images = image_sets.of_run(run_dir, checkpoint, CHOSEN * GROUP, seed=0)
        (record,) = _scored(images, classifier, CHOSEN, "acgan").values()
        logging.info("%s at step %d: %.4g.", run_dir, images.of["checkpoint"], record["value"])
        chosen[run_dir, checkpoint] = record
    best = max(chosen, key=lambda candidate: chosen[candidate]["value"])
    images = image_sets.of_run(*best, REPORTED * GROUP, seed=0, first=CHOSEN * GROUP)
    scored = [{**record["of"], "value": record["value"]} for record in chosen.values()]
    found = _scored(images, classifier, REPORTED, "acgan")
    return best[0], {name: {**record, "candidates": scored} for name, record in found.items()}


def self_check(request: Request) -> str:
    """One line on the Inception score of CIFAR-10's 50,000 training images.

    Raises:
        Failure: it is not the papers'.
    """
    (record,) = dfm(dataclasses.replace(request, images=REAL_IMAGES)).values()
    said = f"The Inception score of CIFAR-10's training images is {record['value']:.2f}, the papers' {REAL}"
    if abs(record["value"] - REAL) > TOLERANCE:
        raise Failure(f"{said}: expected within {TOLERANCE}. Check the classifier's weights and the data.")
    return f"{said}: the classifier is right."


def _scored(images: image_sets.ScoredImages, classifier: Classifier, groups: int, protocol: str) -> dict[str, dict]:
    found, _ = scores.evaluate(Evaluation(images, classifier=classifier, splits=groups), ["inception_score"])
    return {name: {**record, "protocol": protocol} for name, record in found.records.items()}
