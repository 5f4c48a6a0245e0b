"""A trained generator as a module of plain TensorFlow: image = f(weights, seed, label), with no tfdfm to run it."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfdfm import latents
from tfdfm.sampling.restore import Trained

BATCH = 64  # rows that the sampler runs at once


class Sampler(tf.Module):
    """The functions that are exported, each from one dictionary of tensors to another; the batch comes first in all.

    A row depends on its own seed and label alone: latents bit for bit, images within 1e-6 (batches of other sizes are
    added up in another order). Any int64 is a seed. A label outside [0, num_classes) must not fail the rows beside
    it: its pixels are NaN and its PNG is empty.

    Args:
        trained: a run's generator. Its variables become this module's; the rest of it is only called.
    """

    def __init__(self, trained: Trained):
        super().__init__(name="sampler")
        self.weights = [variable.value for variable in trained.generator.variables]
        self._width, self._prior = trained.config.latent_size, trained.config.prior
        self._size = (trained.config.image_size, trained.config.image_size, trained.channels)
        self._classes = len(trained.class_names)

        def generate(latents, labels):  # a function: a Keras network as an attribute would be saved with the module
            return trained.generator(latents, labels=labels)

        self._generate = generate

    def signatures(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """{name: function of one dictionary}."""
        seed = {"seed": tf.TensorSpec([None], tf.int64, "seed")}
        labels = {"labels": tf.TensorSpec([None], tf.int64, "labels")} if self._classes else {}
        latent = {"latents": tf.TensorSpec([None, self._width], tf.float32, "latents")}
        specs = {
            "serving_default": (self._images, seed | labels),
            "png": (self._png, seed | labels),
            "from_latents": (self._from_latents, latent | labels),
            "latents": (self._latents, seed),
        }
        if self._classes:
            specs["unconditional"] = (self._unconditional, seed)
        return {
            name: tf.function(function, input_signature=[spec], autograph=False)
            for name, (function, spec) in specs.items()
        }

    def _latents(self, inputs):
        drawn = latents.from_seeds(inputs["seed"], self._width, self._prior)
        facts = {"prior": self._prior, "num_classes": tf.constant(self._classes, tf.int64)}  # for clients
        return {"latents": drawn} | {name: tf.fill(tf.shape(inputs["seed"]), fact) for name, fact in facts.items()}

    def _from_latents(self, inputs):
        labels = inputs.get("labels")
        images = (self._generate(inputs["latents"], labels) + 1.0) / 2.0
        images = tf.ensure_shape(images, [None, *self._size])
        if labels is not None:
            known = tf.logical_and(labels >= 0, labels < self._classes)
            images = tf.where(known[:, None, None, None], images, np.float32("nan"))
        return {"images": images}

    def _images(self, inputs):
        drawn = {"latents": latents.from_seeds(inputs["seed"], self._width, self._prior)}
        return self._from_latents(drawn | {name: inputs[name] for name in inputs if name == "labels"})

    def _png(self, inputs):
        images = self._images(inputs)["images"]
        shown = tf.math.is_finite(images[:, :1, :1, :1])
        pixels = tf.cast(tf.round(tf.where(shown, images, 0.0) * 255.0), tf.uint8)
        return {"image_bytes": tf.where(shown[:, 0, 0, 0], tf.io.encode_png(pixels), "")}

    def _unconditional(self, inputs):
        labels = latents.labels_from_seeds(inputs["seed"], self._classes)
        return self._images({"seed": inputs["seed"], "labels": labels}) | {"labels": labels}


class Local:
    """A run's generator behind the interface of `tfdfm.client`'s clients."""

    def __init__(self, trained: Trained):
        self.num_classes = len(trained.class_names)
        self._functions = Sampler(trained).signatures()

    def images(self, seeds: Sequence[int], labels: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """float32 [N, H, W, C] in [0, 1] for N seeds (and labels of a conditional model)."""
        return self._run("serving_default", seed=np.asarray(seeds, np.int64), labels=labels)["images"]

    def latents(self, seeds: Sequence[int]) -> tuple[np.ndarray, str]:
        """(float32 [N, Z], "uniform" or "normal")."""
        found = self._run("latents", seed=np.asarray(seeds, np.int64))
        return found["latents"], found["prior"][0].decode()

    def from_latents(self, latents: np.ndarray, labels: Sequence[int] | None = None) -> np.ndarray:
        """float32 [N, H, W, C] in [0, 1] for latents [N, Z]."""
        return self._run("from_latents", latents=np.asarray(latents, np.float32), labels=labels)["images"]

    def _run(self, name: str, *, labels: Sequence[int] | None = None, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        if labels is not None:
            inputs["labels"] = np.asarray(labels, np.int64)
        count = len(next(iter(inputs.values())))
        parts = [
            self._functions[name]({key: tf.constant(value[start : start + BATCH]) for key, value in inputs.items()})
            for start in range(0, count, BATCH)
        ]
        return {key: np.concatenate([part[key].numpy() for part in parts]) for key in parts[0]}
