"""Images from a run directory: image i of a seed is the same however many are asked for."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from tfdfm import config as recipes
from tfdfm import images
from tfdfm.errors import Failure, UsageError
from tfdfm.objectives.base import draw_latents
from tfdfm.random import Random
from tfdfm.training import build
from tfdfm.training.checkpoints import Checkpoints
from tfdfm.training.trainer import flat_names

BATCH = 64


class Sampler:
    """The generator of a run's newest good checkpoint (its moving average where the recipe keeps one), in float32.

    Raises:
        UsageError: no run there.
        Failure: it has no checkpoint yet, or no good one.
    """

    def __init__(self, run_dir: Path):
        path = run_dir / "config.json"
        if not path.exists():
            raise UsageError(f"Expected a run directory with a config.json in --run_dir, found none in {run_dir}.")
        self.config = recipes.check(recipes.read(path))
        try:
            about = json.loads(path.read_text())["data"]
            channels, classes = about["channels"], about["num_classes"]
        except (KeyError, TypeError):
            raise UsageError(f"{path} is damaged: expected what a run writes of its data. Restore it.") from None
        self.num_classes = classes if self.config.conditional else 0
        self.config.precision = "float32"
        self._generator = build.generator(self.config, channels, self.num_classes)
        holder = "average" if self.config.ema_decay else "generator"
        checkpoints = Checkpoints(run_dir / "checkpoints", flat_names(holder, self._generator.variables))
        step = checkpoints.restore(part=True)
        if step is None:
            raise Failure(f"{run_dir} has no checkpoint yet: the first comes at step {self.config.checkpoint_every}.")
        logging.info("Sampling from step %d of %s.", step, run_dir)
        self._run = tf.function(self._generator, autograph=False, reduce_retracing=True)

    def latents(self, first: int, count: int, seed: int) -> tf.Tensor:
        """float32 [count, Z], the latents of images first, first + 1, ... of a seed."""
        random = Random(seed, tf.constant(0, tf.int64), tf.constant(first, tf.int64))
        return draw_latents(random, count, self.config.latent_size, self.config.prior)

    def images(self, latents: tf.Tensor, labels: np.ndarray | None) -> Iterator[np.ndarray]:
        """uint8 [at most 64, H, W, C] at a time for latents [N, Z] (, labels [N])."""
        for start in range(0, len(latents), BATCH):
            part = slice(start, start + BATCH)
            yield images.to_uint8(self._run(latents[part], labels=None if labels is None else labels[part]))

    def labels(self, asked: list[int] | None, count: int) -> np.ndarray | None:
        """int32 [count]: the asked ones in turn, all classes in turn if none are; None for an unconditional model.

        Raises:
            UsageError: labels asked of an unconditional model, or out of range.
        """
        if not self.num_classes:
            if asked:
                raise UsageError(
                    f"--labels given, but this model is unconditional (dataset {self.config.dataset}). Leave it out."
                )
            return None
        for label in asked or []:
            if not 0 <= label < self.num_classes:
                raise UsageError(f"Expected --labels between 0 and {self.num_classes - 1}, given {label}.")
        return np.resize(np.asarray(asked or range(self.num_classes), np.int32), count)


def interpolate(ends: tf.Tensor, steps: int, prior: str) -> tf.Tensor:
    """Latents [R + 1, Z] -> [R, steps, Z], from each to the next: straight (uniform) or on the sphere (normal)."""
    a, b = ends[:-1, None], ends[1:, None]  # [R, 1, Z]
    t = tf.linspace(0.0, 1.0, steps)[None, :, None]
    if prior == "uniform":
        return (1.0 - t) * a + t * b
    cosine = tf.reduce_sum(a * b, -1, keepdims=True) / (
        tf.norm(a, axis=-1, keepdims=True) * tf.norm(b, axis=-1, keepdims=True)
    )
    angle = tf.acos(tf.clip_by_value(cosine, -1.0 + 1e-6, 1.0 - 1e-6))
    return (tf.sin((1.0 - t) * angle) * a + tf.sin(t * angle) * b) / tf.sin(angle)
