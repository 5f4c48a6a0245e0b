"""The search itself: any number of processes that train, score and tell the study one setting after the other.

The study's queue holds a trial for each setting, named; a trial that stops without a result, be its process told to or
killed, leaves its name free, and the next to look puts it back. Of two of one name the first one counts.
"""

import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import keras
import optuna
from absl import logging
from ml_collections import ConfigDict
from optuna.trial import FrozenTrial, TrialState

from tfdfm import files, recipes
from tfdfm.classifiers import lookup
from tfdfm.errors import Diverged, UsageError, nearest
from tfdfm.evaluation import scores
from tfdfm.evaluation.requests import Request
from tfdfm.runs import metrics_log, run
from tfdfm.searching import grid, results, storage
from tfdfm.searching.grid import Setting

WATCHED = {name: f"score/{name}" for name in ("frechet_distance", "inception_score", "ms_ssim")}  # while a run trains


class Search(NamedTuple):
    """What all settings of a search share."""

    directory: Path
    base: ConfigDict
    metrics: list[str]
    samples: int
    classifier: str
    data_dir: str | None
    storage: str | None = None
    prune: bool = False

    def study(self, axes: Mapping) -> optuna.Study:
        """The study, made where there is none, once the classifier is.

        Raises:
            UsageError: no such scores, or the study's are others; else as `storage.opened`.
        """
        for name in self.metrics:
            if name not in scores.METRICS | scores.ALIASES:
                raise UsageError(nearest("metric", name, scores.METRICS) + " Set --metrics.")
        if self.prune and not (self.base.score_every and self.metrics[0] in WATCHED):
            raise UsageError(
                "Expected --config.score_every above 0 and --metrics to begin with one that training writes "
                f"({', '.join(WATCHED)}) for --prune. Given {self.base.score_every} and {self.metrics[0]}."
            )
        config, _ = run.resolve(self.base, self.data_dir)
        classifier = lookup.of_data(self.classifier, config.dataset, config.image_size, self.data_dir)
        scoring = {"metrics": self.metrics, "samples": self.samples, "classifier": classifier.record}
        about = {"recipe": recipes.check(self.base).to_dict(), "scoring": scoring}
        kept = storage.opened(self.directory, self.storage, write=True)
        return results.described(kept, self.directory, about | {"ranges": grid.ranges(axes)}, self.prune)


def search(this: Search, axes: Mapping, wanted: Mapping[str, dict], study: optuna.Study) -> None:
    """Finishes all that is wanted, of `grid.wanted`; what others work at is waited for.

    Raises:
        SystemExit: told to stop; all is saved.
        UsageError, Failure: as `tfdfm.runs.run.train`, but for runs that diverge: those are results.
    """
    waited = False
    with _leaving():
        while left := _queued(study, wanted):
            if any(trial.state == TrialState.WAITING for trial in left):
                _next(this, axes, study)
                continue
            if not waited:
                logging.info("Waiting for %d settings that other processes have.", len(left))
            waited = True
            time.sleep(storage.BEAT)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                optuna.storages.fail_stale_trials(study)


def _queued(study: optuna.Study, wanted: Mapping[str, dict]) -> list[FrozenTrial]:
    """The trials of what is wanted that have no result yet, after those that were missing came into the queue."""
    trials = results.named(study)
    if missing := wanted.keys() - trials.keys():
        begun = results.begun(study)
        for name, values in wanted.items():
            if name in missing:
                attributes = {"name": name} | ({"settings": values} if values else {})
                study.enqueue_trial(begun.get(name, {}), user_attrs=attributes)
        trials = results.named(study)
    return [trials[name] for name in wanted if not trials[name].state.is_finished()]


class _Surplus(Exception):
    """A trial that another process put into the queue, or drew from it, at the same moment."""


def _next(this: Search, axes: Mapping, study: optuna.Study) -> None:
    """Takes a trial from the queue and brings it to its end."""
    taken = []

    def objective(trial: optuna.Trial) -> float:
        taken.append(trial)
        held = results.named(study).get(trial.user_attrs.get("name"))
        if held is None or held.number != trial.number:
            raise _Surplus
        return _finish(this, axes, trial)

    try:
        study.optimize(objective, n_trials=1, catch=(_Surplus, Diverged))
    except SystemExit:
        for trial in taken:  # given back
            study.tell(trial, state=TrialState.FAIL)
        raise
    done = results.named(study).get(taken[0].user_attrs.get("name"))
    if done and done.number == taken[0].number:
        shutil.rmtree(this.directory / done.user_attrs["folder"] / "checkpoints", ignore_errors=True)


def _finish(this: Search, axes: Mapping, trial: optuna.Trial) -> float:
    """Trains, scores and writes down one setting, from where it was left."""
    if values := trial.user_attrs.get("settings"):
        setting = Setting(trial.user_attrs["name"], {key: _hashable(value) for key, value in values.items()})
        grid.told(trial, setting.values)
    else:
        setting = grid.drawn(trial, axes)
        trial.set_user_attr("settings", setting.values)
    trial.set_user_attr("folder", setting.name)
    run_dir = this.directory / setting.name
    logging.info("%s: %s", run_dir, ", ".join(f"{key}={value}" for key, value in setting.values.items()))
    failed, found, started = None, {}, time.monotonic()
    try:
        more = [_Pruning(trial, WATCHED[this.metrics[0]])] if this.prune else []
        config = grid.configured(this.base, setting)
        if stopped := run.train(config, run_dir, data_dir=this.data_dir, more=more):
            _leave(stopped.signal)
        found = _score(this, run_dir)
    except (Diverged, optuna.TrialPruned) as error:
        failed = error
        logging.warning("%s", failed)
    lines = metrics_log.read(run_dir / "metrics.jsonl")
    told = {"scores": files.finite(found), "failed": failed and str(failed)}
    told |= {"images_seen": lines[-1]["images_seen"] if lines else 0, "seconds": time.monotonic() - started}
    for key, value in told.items():
        trial.set_user_attr(key, value)
    if failed:
        raise failed
    return next(iter(found.values()))["value"]


class _Pruning(keras.callbacks.Callback):
    """Ends a run whose scores are worse than those of most others at the same step."""

    def __init__(self, trial: optuna.Trial, score: str):
        super().__init__()
        self._trial, self._score = trial, score

    def on_train_batch_end(self, batch: int, logs: Mapping) -> None:
        if self._score in logs:
            step = int(self.model.step.numpy())
            self._trial.report(logs[self._score], step)
            if self._trial.should_prune():
                raise optuna.TrialPruned(f"Pruned at step {step}: {self._score} {logs[self._score]:.4g}.")


def _score(this: Search, run_dir: Path) -> dict[str, dict]:
    request = Request(run_dir, None, classifier=this.classifier, num=this.samples, data_dir=this.data_dir)
    found, _ = scores.evaluate(request.evaluation(this.metrics), this.metrics)
    return found.records


def _hashable(value):
    """As a recipe has it: JSON has no tuples."""
    return tuple(value) if isinstance(value, list) else value


def _leave(number: int, frame: object = None) -> None:
    print(f"Stopped by {signal.Signals(number).name}; the same command goes on from there.")
    sys.exit(128 + number)


@contextmanager
def _leaving() -> Iterator[None]:
    """SIGTERM between trainings, too, ends the process as an exception, so that its trial is given back."""
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
