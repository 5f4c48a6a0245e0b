"""The package from Python: train a recipe, load a run, and what a run can do.

    import tfdfm

    run = tfdfm.train("digits", steps=3000, run_dir="runs/digits")
    images = run.sample(seeds=range(64))        # float32 [64, H, W, C] in [0, 1]
    scores = run.evaluate(num=2000)             # {name: record with its "value"}
    found = run.analyse("curves")               # a picture and its numbers
    path = run.export()                         # a SavedModel; tfdfm.connect(url) asks a server of it

All raise UsageError for what cannot work and Failure for what cannot be had, both of `tfdfm.errors`.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from ml_collections import ConfigDict

from tfdfm import latents, recipes, stores
from tfdfm.analysis.finding import Finding
from tfdfm.errors import UsageError
from tfdfm.runs import ensembles, metrics_log
from tfdfm.runs import run as runs
from tfdfm.sampling import hub as hub_page
from tfdfm.sampling import onnx, restore, saved_model, tflite
from tfdfm.sampling.sampler import Local, Sampler

FORMATS = ("saved_model", "onnx", "tflite")


class Run:
    """A run directory and one of its checkpoints.

    Args:
        run_dir: of `train` or of `python -m tfdfm.train`, a folder or a URL such as s3://BUCKET/FOLDER.
        checkpoint: "last", "best" or a step.
    """

    def __init__(self, run_dir: str | Path, checkpoint: str | int = "last"):
        self.run_dir, self.checkpoint = stores.local(run_dir), str(checkpoint)
        self.config: ConfigDict = restore.described(self.run_dir)[0]  # the resolved recipe, in float32
        self._trained = restore.load(self.run_dir, self.checkpoint)

    def __repr__(self) -> str:
        return f"tfdfm.load({stores.name(self.run_dir)!r}, checkpoint={self.checkpoint!r})"

    @cached_property
    def _source(self) -> Local:
        return Local(self._trained)

    @property
    def step(self) -> int:
        """Of the checkpoint."""
        return self._trained.step

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of a conditional model; () otherwise."""
        return self._trained.class_names

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, by step."""
        return metrics_log.read(self.run_dir / "metrics.jsonl")

    def sample(self, seeds: Iterable[int] = range(64), labels: int | Iterable[int] | None = None) -> np.ndarray:
        """float32 [N, H, W, C] in [0, 1]: the images of these int64 seeds, each a function of its seed and label alone.

        `labels` is one class or one a seed, of a conditional model; its classes take turns if it is left out.
        """
        seeds = list(seeds)
        asked = None
        if labels is not None:
            asked = [int(label) for label in (labels if isinstance(labels, Iterable) else [labels])]
        if not seeds:
            raise UsageError("Expected one seed or more, given none.")
        if asked and len(asked) not in (1, len(seeds)):
            raise UsageError(f"Expected one label or one for each of {len(seeds)} seeds, given {len(asked)}.")
        return self._source.images(seeds, latents.labels_in_turn(asked, len(seeds), self._source.num_classes))

    def evaluate(self, metrics: Iterable[str] | None = None, **request: Any) -> dict[str, dict]:
        """{name: record} of the run's samples, also written to RUN_DIR/evaluation/<step>.json.

        Args:
            metrics: names as of `python -m tfdfm.evaluate`; the cheap ones by default.
            request: its flags num, reference, classifier, seed, splits, data_dir.
        """
        from tfdfm.evaluation import records, scores
        from tfdfm.evaluation.requests import Request

        metrics = None if metrics is None else list(metrics)
        asked = Request(self.run_dir, None, self.checkpoint, **request)
        found, _ = scores.evaluate(asked.evaluation(metrics), metrics)
        records.write(self.run_dir / "evaluation" / f"{self.step}.json", found.records, found.pictures)
        stores.send()
        return found.records

    def analyse(self, view: str, **options: Any) -> Finding:
        """What a view of `python -m tfdfm.analyse` shows of this run.

        Args:
            view: a name, such as "classes".
            options: of the view, such as num=4; and data_dir and classifier.

        Returns:
            `picture` uint8 [H, W, 3], `numbers` that JSON can hold, `frames` of an animation if there are any.
        """
        from tfdfm.analysis import lookup
        from tfdfm.analysis.subject import Subject

        whose = {name: options.pop(name) for name in ("data_dir", "classifier") if name in options}
        chosen = lookup.options(view, {name: str(value) for name, value in options.items()})
        return lookup.analyse(view, [Subject(self.run_dir, self.checkpoint, **whose)], chosen)

    def report(self, out: str | Path | None = None) -> Path:
        """Writes one page that shows the run, RUN_DIR/report.html by default."""
        from tfdfm.reporting import page

        path = stores.local(out or self.run_dir / "report.html")
        page.write([self.run_dir], path)
        stores.send()
        return path

    def export(
        self,
        out: str | Path | None = None,
        *,
        batch_norm_latents: int = 0,
        weights: str = "float32",
        format: str = "saved_model",
        hub: bool = False,
    ) -> Path:
        """Writes OUT/<version>/, by default below RUN_DIR/export, a SavedModel with the scores of this step.

        `format` "onnx" writes a file of ONNX for each of its signatures but png in its place, "tflite" a LiteRT model
        of one latent (and label).
        `hub` adds README.md, a SavedModel's page on the Hugging Face Hub.
        `batch_norm_latents` estimates the batch-norm statistics anew from so many latents; 0: those of training.
        `weights` are stored as "float32" or as "float16", half as large; the model computes in float32. A LiteRT model
        may have them as "int8".
        """
        _check(weights, format, hub)
        trained = restore.load(self.run_dir, self.checkpoint) if batch_norm_latents else self._trained
        if batch_norm_latents:
            saved_model.estimate_batch_norm(trained, batch_norm_latents)
        scores = self.run_dir / "evaluation" / f"{trained.step}.json"
        found = json.loads(scores.read_text()) if scores.exists() else {}
        verbosity = logging.get_verbosity()
        logging.set_verbosity(logging.ERROR)  # TensorFlow tells of every step of saving
        try:
            out = stores.local(out or self.run_dir / "export")
            half, card = weights == "float16", saved_model.card(trained, found)
            if format == "saved_model":
                page = hub_page.page(card, self.run_dir.absolute().name) if hub else ""
                made = saved_model.write(trained, out, found, half=half, page=page)
            elif format == "tflite":
                made = saved_model.publish(out, lambda path: tflite.write(Sampler(trained), card, path, weights))
            else:
                made = saved_model.publish(out, lambda path: onnx.write(Sampler(trained, half=half), card, path))
        finally:
            logging.set_verbosity(verbosity)
        stores.send()
        return made


def _check(weights: str, format: str, hub: bool) -> None:
    if format not in FORMATS:
        raise UsageError(f"Expected format to be {', '.join(FORMATS)}, given {format!r}.")
    if weights not in tflite.WEIGHTS or (weights == "int8" and format != "tflite"):
        raise UsageError(f"Expected weights to be float32, float16 or int8 of tflite, given {weights!r}.")
    if hub and format != "saved_model":
        raise UsageError(f"The page for the Hub shows how a SavedModel is used: leave hub or format={format} out.")


def load(run_dir: str | Path, checkpoint: str | int = "last") -> Run:
    """The run in a directory. Raises UsageError: there is none, or no such checkpoint; Failure: none is good."""
    return Run(run_dir, checkpoint)


def train(
    recipe: str | None = None,
    *,
    dataset: str | None = None,
    run_dir: str | Path | None = None,
    data_dir: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    **keys: Any,
) -> Run:
    """Trains a recipe, from the last checkpoint of its run directory if there is one.

    Args:
        recipe: a name, a .py or a run's config.json; by default that of the data set, or "digits".
        dataset: a data set, in place of the recipe's own.
        run_dir: runs/RECIPE-seedN by default.
        data_dir: prepared tensorflow_datasets (default: TFDS_DATA_DIR).
        overrides: keys of the recipe, such as {"dfm.sigma": 0.5}.
        keys: the same, of keys without a dot: steps=500, seed=1.
    """
    label, config = recipes.select(recipe, dataset)
    config = recipes.override(config, {key: str(value) for key, value in {**(overrides or {}), **keys}.items()})
    where = stores.local(run_dir or f"runs/{label}-seed{config.seed}")
    if stopped := runs.train_each(ensembles.trainings(config, where), data_dir):
        logging.warning("Stopped at step %d; the same call goes on from there.", stopped.step)
    stores.send()
    return Run(where)
