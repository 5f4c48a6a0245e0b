"""The search itself: one setting after the other, each claimed, trained, scored and written down."""

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from absl import logging
from ml_collections import ConfigDict

from tfdfm import recipes
from tfdfm.classifiers import lookup
from tfdfm.errors import Diverged, UsageError, nearest
from tfdfm.evaluation import scores
from tfdfm.evaluation.requests import Request
from tfdfm.runs import metrics_log, run
from tfdfm.searching import claims, grid, results
from tfdfm.searching.grid import Setting


class Search(NamedTuple):
    """What all settings of a search share."""

    directory: Path
    base: ConfigDict
    metrics: list[str]
    samples: int
    classifier: str
    data_dir: str | None

    def prepare(self) -> None:
        """Makes the classifier and search.json. Raises UsageError: no such scores, or the directory's are others."""
        for name in self.metrics:
            if name not in scores.METRICS | scores.ALIASES:
                raise UsageError(nearest("metric", name, scores.METRICS) + " Set --metrics.")
        config, _ = run.resolve(self.base, self.data_dir)
        classifier = lookup.of_data(self.classifier, config.dataset, config.image_size, self.data_dir)
        scoring = {"metrics": self.metrics, "samples": self.samples, "classifier": classifier.record}
        results.describe(self.directory, {"recipe": recipes.check(self.base).to_dict(), "scoring": scoring})

    def finished(self, setting: Setting) -> bool:
        return (self.directory / setting.name / results.NAME).exists()


def search(this: Search, settings: Sequence[Setting]) -> None:
    """Finishes all settings, each by one process; those that others work at are waited for.

    Raises:
        SystemExit: told to stop; all is saved.
        UsageError, Failure: as `tfdfm.runs.run.train`, but for runs that diverge: those are results.
    """
    held, waited = claims.Claims(), False
    with _leaving():
        while left := [setting for setting in settings if not this.finished(setting)]:
            if not sum(_try(this, setting, held) for setting in left):
                if not waited:
                    logging.info("Waiting for %d settings that other processes have.", len(left))
                waited = True
                time.sleep(claims.BEAT)


def _try(this: Search, setting: Setting, held: claims.Claims) -> bool:
    """Whether this process could finish the setting, and did."""
    claim = None if this.finished(setting) else held.take(this.directory / setting.name)
    if claim:
        with claim:
            if not this.finished(setting):  # it may have been, just before
                _finish(this, setting, claim)
    return claim is not None


def _finish(this: Search, setting: Setting, claim: claims.Claim) -> None:
    """Trains, scores and writes down one setting, from where it was left."""
    run_dir = this.directory / setting.name
    logging.info("%s: %s", run_dir, ", ".join(f"{key}={value}" for key, value in setting.values.items()))
    failed, found = None, {}
    try:
        if stopped := run.train(grid.configured(this.base, setting), run_dir, data_dir=this.data_dir):
            _leave(stopped.signal)
        found = _score(this, run_dir)
    except Diverged as error:
        failed = str(error)
        logging.warning("%s", failed)
    lines = metrics_log.read(run_dir / "metrics.jsonl")
    seen = lines[-1]["images_seen"] if lines else 0
    results.write(run_dir / results.NAME, setting.values, failed, found, claim.seconds(), seen)


def _score(this: Search, run_dir: Path) -> dict[str, dict]:
    request = Request(run_dir, None, classifier=this.classifier, num=this.samples, data_dir=this.data_dir)
    found, _ = scores.evaluate(request.evaluation(this.metrics), this.metrics)
    return found.records


def _leave(number: int, frame: object = None) -> None:
    print(f"Stopped by {signal.Signals(number).name}; the same command goes on from there.")
    sys.exit(128 + number)


@contextmanager
def _leaving() -> Iterator[None]:
    """SIGTERM between trainings, too, ends the process as an exception, so that its claim is given back."""
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
