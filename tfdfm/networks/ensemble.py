"""Several generators as one."""

from collections.abc import Sequence

import tensorflow as tf

from tfdfm.networks.layers import Network


class Ensemble:
    """Generators of as many classes each as one generator of them all: each row is made by the model of its label.

    A model runs on its own rows alone, and not at all where it has none: a row costs what it costs one model.

    Args:
        generators: conditional and built; the first has the first of the classes, and so on.
        image_shape: (height, width, channels).
    """

    def __init__(self, generators: Sequence[Network], image_shape: tuple[int, int, int]):
        self.generators, self.image_shape, self.classes = generators, image_shape, generators[0].num_classes
        self.variables = [variable for generator in generators for variable in generator.variables]

    def __call__(self, latents, labels) -> tf.Tensor:
        """latents [B, Z], labels int [B] -> images float32 [B, H, W, C] in [-1, 1]; 0 where no model has the label."""
        rows = [tf.where(labels // self.classes == number) for number in range(len(self.generators))]  # [n, 1] each
        made = [self._made(*pair, latents, labels) for pair in zip(self.generators, rows, strict=True)]
        shape = [tf.shape(latents, tf.int64)[0], *self.image_shape]
        return tf.scatter_nd(tf.concat(rows, 0), tf.concat(made, 0), shape)

    def _made(self, generator: Network, rows, latents, labels) -> tf.Tensor:
        def make():
            return generator(tf.gather_nd(latents, rows), labels=tf.gather_nd(labels, rows) % self.classes)

        return tf.cond(tf.size(rows) > 0, make, lambda: tf.zeros([0, *self.image_shape]))
