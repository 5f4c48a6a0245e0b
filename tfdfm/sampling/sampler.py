"""A trained generator as a module of plain TensorFlow: image = f(weights, seed, label), with no tfdfm to run it."""

import keras
import numpy as np
import tensorflow as tf

from tfdfm import latents
from tfdfm.errors import UsageError
from tfdfm.sampling.restore import Trained
from tfdfm.sampling.sources import Signatures


class Sampler(tf.Module):
    """The functions that are exported, each from one dictionary of tensors to another; the batch comes first in all.

    A row depends on its own seed and label alone: latents bit for bit, images within 1e-6 (batches of other sizes are
    added up in another order). Any int64 is a seed. A label outside [0, num_classes) must not fail the rows beside
    it: its pixels are NaN and its PNG is empty.

    Args:
        trained: a run's generator. Its variables become this module's; the rest of it is only called.
        half: the module has float16 copies of them in their place, half as large, and computes in float32.

    Raises:
        UsageError: a weight that no float16 can hold.
    """

    def __init__(self, trained: Trained, *, half: bool = False):
        super().__init__(name="sampler")
        variables = trained.generator.variables
        self.weights = [_halved(variable) if half else variable.value for variable in variables]
        self._width, self._prior = trained.config.latent_size, trained.config.prior
        self._size = (trained.config.image_size, trained.config.image_size, trained.channels)
        self._classes = len(trained.class_names)

        def generate(latents, labels):  # a function: a Keras network as an attribute would be saved with the module
            if not half:
                return trained.generator(latents, labels=labels)
            whole = [(v, tf.cast(weight, v.dtype)) for v, weight in zip(variables, self.weights, strict=True)]
            with keras.StatelessScope(whole):
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


def _halved(variable: keras.Variable) -> tf.Variable:
    value = tf.cast(variable.value, tf.float16)
    if not np.isfinite(value.numpy()).all():
        raise UsageError(f"float16 cannot hold {variable.path}: export it as float32.")
    return tf.Variable(value, trainable=False)


class Local(Signatures):
    """A run's generator as a source of images."""

    def __init__(self, trained: Trained):
        made = Sampler(trained).signatures()
        functions = {name: lambda _of=function, **inputs: _of(inputs) for name, function in made.items()}
        super().__init__(functions, len(trained.class_names))
