"""Trains a generator.

    python -m tfdfm.train --dataset=imagenet32
    python -m tfdfm.train --config=cifar10_gan --config.optimizer.learning_rate=2e-4 --seeds=0,1,2
    python -m tfdfm.train --config=imagenet128_acgan --splits=0,1,2

The same command again resumes the run. Recipes: configs/; a key of a recipe is set by --config.KEY=VALUE.
"""

import copy
import sys
from pathlib import Path
from types import ModuleType

from absl import flags

from tfdfm import cli

SHORTHANDS = ("steps", "seed", "jit", "precision", "distribution")


def define(values: flags.FlagValues):
    flags.DEFINE_string(
        "dataset", None, "data set; its recipe is taken if there is one (default: digits)", flag_values=values
    )
    flags.DEFINE_string("config", None, "recipe: a name, a .py or a run's config.json", flag_values=values)
    flags.DEFINE_string("run_dir", None, "a folder, s3:// or gs:// (default: runs/RECIPE-seedN)", flag_values=values)
    flags.DEFINE_string("data_dir", None, "prepared tensorflow_datasets (default: TFDS_DATA_DIR)", flag_values=values)
    flags.DEFINE_integer("steps", None, "steps in all", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("seed", None, "of everything random", lower_bound=0, flag_values=values)
    flags.DEFINE_list("seeds", None, "one run for each, one after the other", flag_values=values)
    flags.DEFINE_list("splits", None, "of an ensemble's models these alone, by number (all)", flag_values=values)
    flags.DEFINE_string("jit", None, "XLA: auto, on, off", flag_values=values)
    flags.DEFINE_string("precision", None, "float32, mixed_bfloat16, mixed_float16", flag_values=values)
    flags.DEFINE_string("distribution", None, "auto, mirrored, multi_worker, tpu, none", flag_values=values)
    flags.DEFINE_boolean("report", False, "keep report.html in the run directory current", flag_values=values)
    flags.DEFINE_boolean("dry_run", False, "build, trace one step, print sizes; needs no data", flag_values=values)


def main(values: flags.FlagValues) -> int | None:
    from tfdfm import recipes  # TensorFlow is imported after the flags are known to be right
    from tfdfm.errors import UsageError
    from tfdfm.runs import run

    if values.seeds and (values.run_dir or values.seed is not None):
        raise UsageError("--seeds makes a run directory for each seed: leave out --run_dir and --seed.")
    label, config = recipes.select(values.config, values.dataset)
    given = dict(pair.partition("=")[::2] for pair in values.overrides)
    given |= {key: str(values[key].value) for key in SHORTHANDS if values[key].value is not None}
    config = recipes.override(config, given)
    seeds = values.seeds or [str(config.seed)]
    configs = [recipes.override(copy.deepcopy(config), {"seed": seed}) for seed in seeds]
    trainings = [training for config in configs for training in _trainings(config, label, values)]
    if values.dry_run:
        for name, weights in run.dry_run(trainings[0].config, values.data_dir).items():
            print(f"{name:16}{weights:>14,} weights")
    elif stopped := run.train_each(trainings, values.data_dir, _reports if values.report else lambda run_dir: ()):
        print(f"Stopped by {stopped.signal.name} at step {stopped.step}; the same command goes on from there.")
        return 128 + stopped.signal
    return 0


def _reports(run_dir: Path):
    from tfdfm.reporting.page import Report

    return [Report(run_dir)]


def _trainings(config, label: str, values: flags.FlagValues):
    """One for a recipe, or for each of an ensemble's models."""
    from tfdfm import stores
    from tfdfm.errors import UsageError
    from tfdfm.runs import ensembles

    if wrong := [number for number in values.splits or [] if not number.isdecimal()]:
        raise UsageError(f"Expected --splits to be numbers like 3,4, given {wrong[0]!r}.")
    run_dir = stores.local(values.run_dir or f"runs/{label}-seed{config.seed}")
    return ensembles.trainings(config, run_dir, [int(number) for number in values.splits or []])


class _Command(ModuleType):
    """This module: `tfdfm.train(...)` is `tfdfm.api.train(...)`, whoever imported it first."""

    def __call__(self, *args, **kwargs):
        from tfdfm import api

        return api.train(*args, **kwargs)


sys.modules[__name__].__class__ = _Command

if __name__ == "__main__":
    cli.run(main, define, __doc__)
