"""The parts of Keras and TensorFlow that we need beside their interfaces, each with a test that says what broke."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf
from tensorflow.python.framework import ops


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


@contextmanager
def freed() -> Iterator[None]:
    """Frees on leaving what a training inside left behind in this process.

    TensorFlow keeps for ever the gradient of every all-reduce that it traced, and with it the trainer's weights.
    """
    gradients = ops.gradient_registry._registry
    before = set(gradients)
    try:
        yield
    finally:
        for name in gradients.keys() - before:
            if name.startswith("CustomGradient"):
                del gradients[name]
        keras.utils.clear_session()


def layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """All layers of a model, those in lists and in other layers too."""
    return model._flatten_layers()
