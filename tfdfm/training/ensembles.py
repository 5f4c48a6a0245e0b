"""An ensemble: a model for each class split of a recipe, trained each by itself and sampled as one (AC-GAN, 4.6)."""

import copy
from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from tfdfm import data
from tfdfm.errors import UsageError


def is_ensemble(config: ConfigDict) -> bool:
    """Whether a recipe is that of several models."""
    return config.class_splits > 1 and config.split < 0


def member(config: ConfigDict, number: int) -> ConfigDict:
    """The recipe of one of an ensemble's models; of the ensemble itself for -1."""
    config = copy.deepcopy(config)
    config.split = number
    return config


def directory(run_dir: Path, number: int) -> Path:
    """The run of one of an ensemble's models."""
    return run_dir / f"split{number:03d}"


def runs(config: ConfigDict, run_dir: Path, numbers: Sequence[int] = ()) -> list[tuple[ConfigDict, Path, Path | None]]:
    """The trainings of a recipe: (recipe, directory, the ensemble's or None) of each, of `numbers` alone if given.

    Raises:
        UsageError: numbers that the recipe's models do not have.
    """
    if wrong := [number for number in numbers if is_ensemble(config) and not 0 <= number < config.class_splits]:
        raise UsageError(f"Expected --splits from 0 to {config.class_splits - 1}, given {wrong[0]}.")
    if is_ensemble(config):
        chosen = numbers or range(config.class_splits)
        return [(member(config, number), directory(run_dir, number), run_dir) for number in chosen]
    if numbers:
        raise UsageError("--splits chooses among the models of an ensemble, and this recipe has one. Leave it out.")
    return [(config, run_dir, None)]


def described(config: ConfigDict, found: data.Description) -> data.Description:
    """What is known of a run's own classes, from what is known of the data set.

    Raises:
        UsageError: the classes cannot be split so, or the recipe is that of all models.
    """
    if config.class_splits == 1:
        return found
    if (found.num_classes or 0) % config.class_splits:
        raise UsageError(
            f"Expected class_splits to divide the {found.num_classes} classes of {config.dataset}, given "
            f"{config.class_splits}. Set --config.class_splits."
        )
    if is_ensemble(config):
        raise UsageError(
            f"class_splits={config.class_splits} makes an ensemble, which tfdfm.train trains, and this takes one "
            "model. Set --config.split to its number."
        )
    return found._replace(num_classes=found.num_classes // config.class_splits)


def own(config: ConfigDict, images: data.Images) -> data.Images:
    """The images of a run's own classes."""
    return images if config.class_splits == 1 else data.split(images, config.class_splits, config.split)
