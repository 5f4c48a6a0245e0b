"""An ensemble: a model for each class split of a recipe, trained each by itself and sampled as one (AC-GAN, 4.6)."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ml_collections import ConfigDict

from tfdfm import data
from tfdfm.errors import UsageError


class Training(NamedTuple):
    """One model's."""

    config: ConfigDict
    run_dir: Path
    ensemble: Path | None = None  # the directory of the ensemble that it belongs to


def is_ensemble(config: ConfigDict) -> bool:
    """Whether a recipe is that of several models."""
    return config.class_splits > 1 and config.split < 0


def member(config: ConfigDict, number: int) -> ConfigDict:
    """The recipe of one of an ensemble's models."""
    config = copy.deepcopy(config)
    config.split = number
    return config


def ensemble(config: ConfigDict) -> ConfigDict:
    """The recipe of the ensemble that one of its models belongs to."""
    return member(config, -1)


def directory(run_dir: Path, number: int) -> Path:
    """The run of one of an ensemble's models."""
    return run_dir / f"split{number:03d}"


def trainings(config: ConfigDict, run_dir: Path, numbers: Sequence[int] = ()) -> list[Training]:
    """One for a recipe, or for each of an ensemble's models, of `numbers` alone if given.

    Raises:
        UsageError: numbers that the recipe's models do not have.
    """
    if wrong := [number for number in numbers if is_ensemble(config) and not 0 <= number < config.class_splits]:
        raise UsageError(f"Expected --splits from 0 to {config.class_splits - 1}, given {wrong[0]}.")
    if is_ensemble(config):
        chosen = numbers or range(config.class_splits)
        return [Training(member(config, number), directory(run_dir, number), run_dir) for number in chosen]
    if numbers:
        raise UsageError("--splits chooses among the models of an ensemble, and this recipe has one. Leave it out.")
    return [Training(config, run_dir)]


def own_classes(config: ConfigDict, count: int) -> range:
    """Those of the data's `count` classes that a run learns from."""
    chosen = range(*config.class_range) if config.class_range else range(count)
    size = len(chosen) // config.class_splits
    return chosen if config.split < 0 else chosen[config.split * size :][:size]


def described(config: ConfigDict, found: data.Description) -> data.Description:
    """What is known of a run's own classes, from what is known of the data set.

    Raises:
        UsageError: the classes cannot be chosen or split so, or the recipe is that of all models.
    """
    count = found.num_classes or 0
    if config.class_range and config.class_range[1] > count:
        raise UsageError(
            f"Expected class_range to end at most at {count}, as {config.dataset} has {count}, "
            f"given {config.class_range}. Set --config.class_range."
        )
    chosen = len(own_classes(ensemble(config), count))
    if chosen % config.class_splits:
        raise UsageError(
            f"Expected class_splits to divide the {chosen} classes of {config.dataset}, given {config.class_splits}. "
            "Set --config.class_splits."
        )
    if is_ensemble(config):
        raise UsageError(
            f"class_splits={config.class_splits} makes an ensemble, which tfdfm.train trains, and this takes one "
            "model. Set --config.split to its number."
        )
    return found._replace(num_classes=len(own_classes(config, count)) or None)


def own(config: ConfigDict, images: data.Images) -> data.Images:
    """The images of a run's own classes."""
    count = len(images.class_names)
    chosen = own_classes(config, count)
    return images if chosen == range(count) else data.of_classes(images, chosen)
