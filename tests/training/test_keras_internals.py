"""Each part of Keras that we need and that is not its interface: what fails here broke with Keras."""

import gc
import weakref

import keras
import numpy as np
import tensorflow as tf
import toys
from tensorflow.python.framework import ops

from tfdfm.training import keras_internals


class Grown(keras_internals.Prebuilt):
    """Counts the calls that Keras makes to build it."""

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.built = True

    def call(self, x):
        self.calls += 1
        return x

    def train_step(self, batch):
        return {"loss": tf.reduce_mean(batch["images"])}


def test_fit_does_not_build_the_model_from_a_batch():
    model = Grown()
    model.compile()
    model.fit(tf.data.Dataset.from_tensors({"images": tf.ones([2, 3])}), verbose=0, shuffle=False)
    assert model.calls == 0
    assert hasattr(keras.Model, "_maybe_symbolic_build")  # else Keras builds in some other way


def test_slots_are_adams_means_of_the_gradient_and_of_its_square():
    variables = [keras.Variable(np.zeros(size, np.float32)) for size in (2, 3)]
    optimizer = keras.optimizers.Adam(beta_1=0.5, beta_2=0.75)
    optimizer.build(variables)
    optimizer.apply([tf.fill([2], 4.0), tf.fill([3], 8.0)], variables)
    for variable, gradient in zip(variables, (4.0, 8.0), strict=True):
        mean, square = keras_internals.slots(optimizer, variable)
        np.testing.assert_allclose(mean, np.full(variable.shape, 0.5 * gradient))
        np.testing.assert_allclose(square, np.full(variable.shape, 0.25 * gradient**2))


def test_layers_are_found_in_lists_and_in_other_layers():
    class Nested(keras.Model):
        def __init__(self):
            super().__init__()
            self.several = [keras.layers.Dense(1, name="a"), keras.Sequential([keras.layers.Dense(1, name="b")])]

    assert {"a", "b"} <= {layer.name for layer in keras_internals.layers(Nested())}


def test_what_a_training_leaves_behind_is_freed():
    gradients, kept = ops.gradient_registry._registry, []
    before = set(gradients)

    @keras_internals.freed()
    def trained():
        trainer = toys.trainer()
        kept.extend(weakref.ref(variable) for variable in trainer.trainable_variables)
        step = toys.stepper(trainer)
        step(toys.batch())
        return len(gradients)

    assert trained() > len(before)  # else there was nothing to free: TensorFlow keeps no gradients any more
    gc.collect()
    assert set(gradients) == before and kept and not any(variable() for variable in kept)
