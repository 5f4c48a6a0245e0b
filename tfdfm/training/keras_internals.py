"""The parts of Keras that we need and that are not its interface, each with a test that says what broke."""

from collections.abc import Iterator

import keras
import tensorflow as tf


class Prebuilt(keras.Model):
    """A model whose variables are all made before `fit`.

    Keras would build it from the first batch, averaged over replicas, which fails for the batches of several workers.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing."""


def slots(optimizer: keras.optimizers.Adam, variable: keras.Variable) -> tuple[tf.Variable, tf.Variable]:
    """Adam's running means of a variable's gradient and of its square."""
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index].value, optimizer._velocities[index].value


def layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """All layers of a model, those in lists and in other layers too."""
    return model._flatten_layers()
