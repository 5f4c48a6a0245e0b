"""A run: a recipe, a directory, and the training that starts or resumes in it."""

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf
from absl import logging
from ml_collections import ConfigDict

from tfdfm import data, files, recipes, stores
from tfdfm.classifiers import lookup
from tfdfm.data import compression
from tfdfm.errors import UsageError
from tfdfm.runs import ensembles, error_rate, monitoring
from tfdfm.runs.callbacks import callbacks
from tfdfm.runs.checkpoints import Checkpoints, writing
from tfdfm.runs.resolve import resolve
from tfdfm.runs.signals import Signals
from tfdfm.runs.starts import Warnings, started
from tfdfm.training import build, distribution, keras_internals
from tfdfm.training.trainer import GRID, Trainer


class Stopped(NamedTuple):
    """A run that was told to stop, its state saved."""

    signal: signal.Signals
    step: int


def train_each(
    trainings: Sequence[ensembles.Training],
    data_dir: str | None = None,
    more: Callable[[Path], Sequence[keras.callbacks.Callback]] = lambda run_dir: (),
) -> Stopped | None:
    """Trains one after the other, with `more` callbacks of each run's directory.

    Returns what stopped them before the last was through; raises as `train`.
    """
    for place, training in enumerate(trainings, 1):
        logging.info("Run directory: %s", stores.name(training.run_dir))
        stopped = train(*training, data_dir, more(training.run_dir))
        if stopped and (stopped.step < training.config.steps or place < len(trainings)):
            return stopped
    return None


@keras_internals.freed()
def train(
    config: ConfigDict,
    run_dir: Path,
    ensemble: Path | None = None,
    data_dir: str | None = None,
    more: Sequence[keras.callbacks.Callback] = (),
) -> Stopped | None:
    """Trains until `config.steps`, from the last good checkpoint of `run_dir` if there is one.

    `ensemble` is the directory of the ensemble that the model belongs to, if any; it gets its own config.json.

    Returns:
        What stopped it, be it in its last step; None if nothing did.
    Raises:
        UsageError: a recipe that cannot run, or another one than the run's.
        Failure: data that cannot be had, a disk that cannot be written, damage, a loss that is not finite.
    """
    config, found = resolve(config, data_dir)
    strategy = distribution.strategy(config.distribution)
    distribution.check(strategy, config)
    trainer = build_trainer(config, found, strategy)  # first: it finds mistakes before hours of preparing data
    chief = distribution.is_chief(strategy)
    images = _recorded(config, run_dir, ensemble, data_dir, write=chief)
    checkpoints = Checkpoints(run_dir / "checkpoints", trainer.variables_by_name(), chief=chief)
    journal = run_dir / "metrics.jsonl"
    first = _resumed(checkpoints, journal, config, chief=chief)
    if first >= config.steps:
        return None
    if chief:
        started(run_dir, first, strategy.num_replicas_in_sync, trainer.xla, config)
    warnings = Warnings(run_dir if chief else None, first)
    scorers = _scorers(config, trainer, images, journal, data_dir, warnings, chief=chief)
    shown = images.pixels[: GRID // 2] if "encoder" in trainer.networks else None
    with Signals() as signals:
        where = {"chief": chief, "first_step": first, "warnings": warnings}
        calls = callbacks(run_dir, config, checkpoints, signals, **where, scorers=scorers, shown=shown, more=more)
        for start, stop, size in trainer.schedule.calls(first):
            if not signals.received:
                _fit(trainer, strategy, batches(images, config, strategy, start), stop - start, size, calls)
    return Stopped(signals.received, int(trainer.step.numpy())) if signals.received else None


def _resumed(checkpoints: Checkpoints, journal: Path, config: ConfigDict, *, chief: bool) -> int:
    """The step of the last good checkpoint, restored; 0 where there is none."""
    first = checkpoints.restore() or 0
    if chief and first and config.score_every:  # in case it was killed between saving and keeping
        monitoring.keep_best(journal, checkpoints, first)
    if first >= config.steps:
        logging.info("Already at step %d of %d: a larger --steps goes on from there.", first, config.steps)
    elif first:
        logging.info("Going on from step %d of %d.", first, config.steps)
    return first


def _fit(trainer: Trainer, strategy: tf.distribute.Strategy, batches, steps: int, size: int, calls: list):
    """Trains so many steps, `size` in each call."""
    with strategy.scope():
        trainer.compile(steps_per_execution=size, jit_compile=False)
    trainer.fit(batches, steps_per_epoch=steps, callbacks=calls, verbose=0, shuffle=False)


def _recorded(config: ConfigDict, run_dir: Path, ensemble: Path | None, data_dir: str | None, *, write: bool):
    """The images of the run's classes, when its config.json and the ensemble's are written."""
    images = data.load(config.dataset, image_size=config.patches_of or config.image_size, data_dir=data_dir)
    if ensemble:
        together = ensembles.ensemble(config)
        record(ensemble, together, ensembles.own(together, images), write=write)
    images = ensembles.own(config, images)
    data.check_batch_size(images, config.batch_size)
    record(run_dir, config, images, write=write)
    if write and (compressed := compression.warning(config.dataset, images.pixels)):
        logging.warning("%s", compressed)
    return images


def _scorers(
    config: ConfigDict, trainer: Trainer, images: data.Images, journal: Path, data_dir, warnings, *, chief: bool
):
    """The callbacks that add test error and scores to the logs."""
    found = []
    if config.test_every:
        held_out = data.load(config.dataset, image_size=config.image_size, data_dir=data_dir, split="test")
        held_out = ensembles.own(config, held_out)
        found.append(error_rate.TestError(error_rate.HeldOut(trainer.networks["discriminator"], held_out)))
    if config.score_every:
        scorer = _scorer(config, images, data_dir) if chief else None
        found.append(monitoring.Scores(scorer, journal, config, warnings))
    return found


def _scorer(config: ConfigDict, images: data.Images, data_dir: str | None) -> monitoring.Scorer:
    logging.info("Scores every %d steps, by a classifier of %s.", config.score_every, config.dataset)
    classifier = lookup.of_data("dataset", config.dataset, config.image_size, data_dir)
    accuracy, count = classifier.record["accuracy"], len(images.pixels)
    logging.info("The classifier is right on %.2f %% of held-out images. It looks at %d now.", 100 * accuracy, count)
    return monitoring.Scorer(classifier, images, conditional=config.conditional)


def build_trainer(config: ConfigDict, found: data.Description, strategy: tf.distribute.Strategy) -> Trainer:
    """The trainer of a resolved recipe, its variables made by the strategy."""
    jit = distribution.use_xla(config.jit, strategy, config.batch_norm)
    with strategy.scope():
        return build.trainer(config, found.channels, found.num_classes or 0, jit=jit)


def dry_run(config: ConfigDict, data_dir: str | None = None) -> dict[str, int]:
    """Resolves, builds and traces one step on zeros, without data. {network: number of weights}."""
    config, found = resolve(config, data_dir)
    strategy = distribution.strategy(config.distribution)
    distribution.check(strategy, config)
    trainer = build_trainer(config, found, strategy)
    share = config.n_critic * config.batch_size // strategy.num_replicas_in_sync
    batch = build.batch(config, found.channels, found.num_classes or 0, share)

    @tf.function(autograph=False)
    def step(batch):
        return strategy.run(trainer.train_step, (batch,))

    step.get_concrete_function(batch)
    return {
        name: sum(w.shape.num_elements() for w in net.trainable_variables) for name, net in trainer.networks.items()
    }


def batches(images: data.Images, config: ConfigDict, strategy: tf.distribute.Strategy, first: int):
    """The batches of a run from step `first` on, each worker's own."""
    rows = data.labelled_rows(images, config.num_labelled, config.seed) if config.num_labelled else None

    def of_worker(context: tf.distribute.InputContext):
        local = context.num_replicas_in_sync // context.num_input_pipelines
        start = context.input_pipeline_id * local
        return data.batches(
            images,
            batch_size=config.batch_size,
            first_step=first,
            last_step=config.steps,
            seed=config.seed,
            replicas=context.num_replicas_in_sync,
            local_replicas=range(start, start + local),
            n_critic=config.n_critic,
            labelled_rows=rows,
            supervised=build.supervised(config),
        )

    return strategy.distribute_datasets_from_function(of_worker)


def record(run_dir: Path, config: ConfigDict, images: data.Images, *, write: bool) -> None:
    """Writes config.json, or holds the run's own against this recipe: only `steps` may grow.

    Raises:
        UsageError: lists the keys that changed.
    """
    path = run_dir / "config.json"
    about = {
        "source": images.source,
        "count": len(images.pixels),
        "channels": images.pixels.shape[-1],
        "num_classes": len(images.class_names) or None,
        "class_names": list(images.class_names),
    }
    if path.exists():
        _compare(path, config, about)
    if write:
        with writing(run_dir):
            files.make_folder(run_dir)
        recipes.write(path, config, about)


def _compare(path: Path, config: ConfigDict, about: dict):
    old = recipes.check(recipes.read(path))
    changed = recipes.differences(old, config)
    if config.steps >= old.steps:
        changed = [line for line in changed if not line.startswith("steps:")]
    before = json.loads(path.read_text()).get("data")
    changed += [f"data: {before} -> {about}"] if before != about else []
    if changed:
        raise UsageError(
            f"{path.parent} holds a run with other settings, and only steps may grow: {'; '.join(changed)}."
            " Pass another --run_dir, or the run's own settings."
        )
