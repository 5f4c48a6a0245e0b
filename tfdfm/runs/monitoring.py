"""Scores of the samples while a run trains: how near they are to the data, whether they decay, whether they collapse.

The classifier is the data set's own, the latents are always the same and not those of the training.
"""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from absl import logging

from tfdfm import arrays, data, latents
from tfdfm.classifiers.binding import Classifier
from tfdfm.classifiers.features import BATCH, cached, features
from tfdfm.images import to_uint8
from tfdfm.metrics import fid, samples
from tfdfm.metrics.ms_ssim import Similarity
from tfdfm.progress import progress
from tfdfm.runs import metrics_log
from tfdfm.runs.checkpoints import Checkpoints
from tfdfm.runs.starts import Warnings

SAMPLES = 2048
PAIRS = 1000  # of images whose similarity is measured, shared out to the classes: AC-GAN's 100 for each of ten
DISTANCE = "score/frechet_distance"
_WORSE, _ROWS = 1.25, 3  # fixed latents leave a few percent of noise: a quarter three times in a row is none of it
_NAMED = 5  # classes at most, in a warning


class Scorer:
    """What the data look like to the classifier, and samples held against it.

    Args:
        images: the training set, labelled.
        conditional: whether samples are made for labels, in turn; otherwise all are of one class.
    """

    def __init__(self, classifier: Classifier, images: data.Images, *, conditional: bool):
        self.names = [f"in class {name}" for name in images.class_names] if conditional else ["of any two"]
        self._classifier, every = classifier, arrays.thinned(len(images.pixels))
        pixels = images.pixels[every]
        real = cached(pixels, classifier, progress("Reference", len(pixels)))
        self._real = fid.statistics(real.features)
        labels = images.labels[every] if conditional else np.zeros(len(pixels), np.int64)
        self.similarity = self._similarity(pixels, labels, real.keys)

    def score(self, drawn: np.ndarray) -> tuple[dict[str, float], Similarity]:
        """Scores of uint8 samples [N, H, W, C] by their names in metrics.jsonl; MS-SSIM inside each class."""
        found = features(drawn, self._classifier)
        similarity = self._similarity(drawn, np.arange(len(drawn)) % len(self.names), found.keys)
        scores = {
            DISTANCE: samples.frechet(self._real, found),
            "score/inception_score": samples.inception(found, splits=1).value,
            "score/ms_ssim": float(similarity.values.mean()),
        }
        return scores, similarity

    def _similarity(self, images: np.ndarray, labels: np.ndarray, keys: np.ndarray) -> Similarity:
        """Of all classes of two images or more."""
        counts = np.bincount(labels)
        if not (kept := counts[labels] > 1).all():
            images, labels, keys = images[kept], labels[kept], keys[kept]
        least = counts[counts > 1].min()
        pairs = min(max(PAIRS // len(self.names), 1), least * (least - 1) // 2)
        return samples.similarity(images, labels, keys, int(pairs))


class Scores(keras.callbacks.Callback):
    """Adds the scores of the samples to the logs of each `score_every`-th and the last step.

    Every worker draws them, as drawing may need all; the one with a `scorer` scores. A word, once each, where the
    scores decay and where the samples of a class become alike.
    """

    def __init__(self, scorer: Scorer | None, journal_path: Path, config: Mapping, warnings: Warnings):
        super().__init__()
        self._scorer, self._path, self._config, self._warnings = scorer, journal_path, config, warnings
        self._alike: set[int] = set()  # classes, at the last score
        self._apart: set[int] = set()  # classes that were not, at any

    def on_train_batch_end(self, batch: int, logs: dict) -> None:
        step = int(self.model.step.numpy())
        if self.model.schedule.due("score", step):
            drawn = self._samples()
            if self._scorer:
                scores, similarity = self._scorer.score(drawn)
                logs.update(scores)
                self._watch_decay(step, scores[DISTANCE])
                self._watch_collapse(step, similarity)

    def on_train_end(self, logs: Mapping | None = None) -> None:
        step = int(self.model.step.numpy())
        ended = step >= self._config["steps"] or self.model.stop_training
        if ended and self._scorer and (found := history(self._path, step)):
            step = best(found)
            logging.info("Best Frechet distance: %.4g, at step %d (--checkpoint=best).", found[step], step)

    def _samples(self) -> np.ndarray:
        """uint8 [SAMPLES, H, W, C]"""
        first = latents.PER_SEED * self._config["seed"]
        parts = [self.model.samples(range(first + b.start, first + b.stop)) for b in arrays.blocks(SAMPLES, BATCH)]
        return np.concatenate([to_uint8(part) for part in parts])

    def _watch_decay(self, step: int, distance: float) -> None:
        found = history(self._path, step - 1) | {step: distance}
        top = best(found)
        if all(value > _WORSE * found[top] for value in list(found.values())[-_ROWS:]):
            past = f"{found[top]:.4g} at step {top} (the best checkpoint, kept)"
            self._warnings.say(step, "decay", f"the Frechet distance decays: {distance:.4g} now, {past}.")

    def _watch_collapse(self, step: int, similarity: Similarity) -> None:
        """AC-GAN, figure 5: the MS-SSIM of a class whose generator collapses rises.

        Samples are alike where it is nearer to 1, one image, than to the data's. Those of the first weights are, too:
        a class counts once it was not, and any in the second half of the run.
        """
        real = dict(zip(self._scorer.similarity.labels, self._scorer.similarity.values, strict=True))
        fake = dict(zip(similarity.labels, similarity.values, strict=True))
        alike = {label for label, value in fake.items() if value > (1 + real.get(label, 0)) / 2}
        self._apart |= fake.keys() - alike
        counting = fake.keys() if step > self._config["steps"] / 2 else self._apart
        worst = sorted(alike & self._alike & counting, key=fake.get, reverse=True)
        self._alike = alike
        if worst:
            names = [(self._scorer.names[c], fake[c], real.get(c, 0)) for c in worst[:_NAMED]]
            few = ", ".join("{} {:.2f} (data {:.2f})".format(*each) for each in names)
            self._warnings.say(step, "collapse", f"the generator collapses: its samples grow alike, MS-SSIM {few}.")


def history(path: Path, step: int) -> dict[int, float]:
    """{step: Frechet distance} of the lines of metrics.jsonl up to `step`."""
    return {
        row["step"]: row[DISTANCE]
        for row in metrics_log.read(path)
        if row["step"] <= step and row.get(DISTANCE) is not None
    }


def best(found: Mapping[int, float]) -> int:
    """The step of the least distance, the first of them."""
    return min(found, key=found.get)


def keep_best(path: Path, checkpoints: Checkpoints, step: int) -> None:
    """Keeps the checkpoint of `step` as the best one if metrics.jsonl says so."""
    found = history(path, step) if path.exists() else {}
    if found and best(found) == step:
        checkpoints.keep(step)
