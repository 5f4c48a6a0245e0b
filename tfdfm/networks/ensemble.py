"""Several generators as one."""

from collections.abc import Sequence

import tensorflow as tf

from tfdfm.networks.layers import Network


class Ensemble:
    """Generators of as many classes each as one generator of them all: each row is made by the model of its label.

    A model runs on its own rows alone: a row costs what it costs one model, and a model without rows next to nothing.

    Args:
        generators: conditional and built; the first has the first of the classes, and so on.
    """

    def __init__(self, generators: Sequence[Network]):
        self.generators, self.num_classes = generators, generators[0].num_classes
        self.variables = [variable for generator in generators for variable in generator.variables]

    def __call__(self, latents, labels) -> tf.Tensor:
        """latents [B, Z], labels int [B] -> images float32 [B, H, W, C] in [-1, 1]; of unknown labels some image."""
        models = tf.cast(tf.clip_by_value(labels // self.num_classes, 0, len(self.generators) - 1), tf.int32)
        rows = tf.dynamic_partition(tf.range(tf.size(labels)), models, len(self.generators))  # [n] each
        made = [
            generator(tf.gather(latents, of), labels=tf.gather(labels, of) % self.num_classes)
            for generator, of in zip(self.generators, rows, strict=True)
        ]
        return tf.dynamic_stitch(rows, made)
