"""A run that is looked at, and what a view may ask of it, each made on first use."""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from tfdfm import data, latents
from tfdfm.classifiers.binding import Classifier
from tfdfm.errors import UsageError
from tfdfm.evaluation import scores
from tfdfm.evaluation.evaluation import Evaluation
from tfdfm.evaluation.requests import Request
from tfdfm.networks import Network
from tfdfm.runs import ensembles, metrics_log
from tfdfm.sampling import restore
from tfdfm.sampling.restore import Trained
from tfdfm.sampling.sampler import Local


class Subject:
    """A run directory and one of its checkpoints.

    Args:
        run_dir: of `python -m tfdfm.train`.
        checkpoint: "last", "best" or a step.
        data_dir: prepared tensorflow_datasets (default: TFDS_DATA_DIR).
        classifier: as of `python -m tfdfm.evaluate`; "": that of the data's own labels, EfficientNet where there are
            none.
    """

    def __init__(self, run_dir: Path, checkpoint: str = "last", data_dir: str | None = None, classifier: str = ""):
        self.run_dir, self.checkpoint, self._data_dir = run_dir, checkpoint, data_dir
        self._request = Request(run_dir, None, checkpoint, classifier=classifier or None, data_dir=data_dir)
        self.config, self.channels, self.data_classes = restore.described(run_dir)  # names of the data's classes

    @property
    def name(self) -> str:
        return self.run_dir.resolve().name

    @property
    def title(self) -> str:
        return f"{self.name}, step {self.trained.step:,}"

    @property
    def step(self) -> int | None:
        """Of the checkpoint; None as long as no view has asked for it."""
        return self.trained.step if "trained" in vars(self) else None

    @property
    def record(self) -> dict:
        """What numbers say of whom they are."""
        return {"checkpoint": self.step, "weights": self.trained.weights} if self.step is not None else {}

    @cached_property
    def trained(self) -> Trained:
        return restore.load(self.run_dir, self.checkpoint)

    @cached_property
    def source(self) -> Local:
        """The generator, asked for the images of seeds or latents."""
        return Local(self.trained)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of those that samples can be asked for; () of an unconditional run."""
        return self.trained.class_names

    def labels(self, asked: str = "") -> list[int]:
        """Numbers of the classes asked for, names or numbers with commas between; "": all.

        Raises:
            UsageError: a class that there is not, or an unconditional run.
        """
        if not self.classes:
            raise UsageError(f"{self.name} is unconditional, and this view needs classes. Take a conditional run.")
        numbers, names = numbered(self.classes), asked.split(",") if asked else []
        if wrong := [name for name in names if name not in numbers]:
            raise UsageError(f"Expected classes of {self.name}, {', '.join(self.classes)}, given {wrong[0]}.")
        return [numbers[name] for name in names] or list(range(len(self.classes)))

    def latents(self, count: int, seed: int) -> np.ndarray:
        """float32 [count, Z]: those of the first images of `sample --seed=`."""
        return self.source.latents(self.seeds(count, seed))[0]

    def seeds(self, count: int, seed: int) -> range:
        """Of the first `count` images of `sample --seed=`."""
        return range(latents.PER_SEED * seed, latents.PER_SEED * seed + count)

    @cached_property
    def lines(self) -> list[dict]:
        """Those of metrics.jsonl, by step. Raises UsageError: none."""
        return metrics_log.of_run(self.run_dir)

    @cached_property
    def discriminator(self) -> Network:
        """Raises UsageError: none of its own, or one of images with codes."""
        return restore.discriminator(self.run_dir, self.checkpoint)

    @property
    def untrained_discriminator(self) -> Network:
        """The same with the weights that the run began with."""
        return restore.untrained_discriminator(self.config, self.channels, len(self.data_classes))

    def sample_labels(self, count: int) -> np.ndarray | None:
        """int64 [count], those of the first images of `sample`: all classes in turn; None of an unconditional run."""
        return latents.labels_in_turn(None, count, len(self.classes))

    @cached_property
    def encoder(self) -> Network:
        """Raises UsageError: none."""
        return restore.encoder(self.run_dir, self.checkpoint)

    @cached_property
    def images(self) -> data.Images:
        """The training images that the run learns from."""
        return self._load("train")

    @cached_property
    def held_out(self) -> data.Images:
        """The test images of the classes that the run learns from. Raises UsageError: none."""
        return self._load("test")

    @property
    def held_out_or_training(self) -> data.Images:
        """The test images where there are any, else the training images."""
        try:
            return self.held_out
        except UsageError:
            return self.images

    def _load(self, split: str) -> data.Images:
        found = data.load(self.config.dataset, image_size=self.config.image_size, data_dir=self._data_dir, split=split)
        return ensembles.own(self.config, found)

    def evaluation(self, num: int, seed: int, metrics: Sequence[str]) -> Evaluation:
        """The first `num` samples of `sample --seed=` beside the training images, ready for these metrics.

        Raises:
            UsageError: the run lacks what one of them needs.
        """
        made = dataclasses.replace(self._request, num=num, seed=seed).evaluation(metrics)
        scores.select(metrics, made)
        return made

    @cached_property
    def classifier(self) -> Classifier:
        """The network whose features and logits judge; trained first if it never was."""
        return self._request.load_classifier()


def numbered(names: Sequence[str]) -> dict[str, int]:
    """{name or number of a class: its number}; what is both is a name."""
    return {str(label): label for label in range(len(names))} | {name: label for label, name in enumerate(names)}
