"""The optimizers of a recipe; Adam as one fused op for each weight."""

import functools
from collections.abc import Mapping

import keras
import tensorflow as tf

from tfdfm.training.keras_internals import slots


def make(player: str, keys: Mapping, *, skipping: bool = False) -> keras.optimizers.Optimizer:
    """The optimizer of a player by a recipe's keys `optimizer`.

    "adam"; "adam_root", Salimans et al.'s; "rmsprop", whose mean of squares decays by beta_2 and which has no beta_1;
    "sgd", with `momentum`. `epsilon` is of the size of a gradient but for "adam_root", where it is added below the
    root: Keras adds RMSprop's there, too, where 1e-8 would be a floor of 1e-4. `l2` is of all of them. `skipping` is
    for float16.
    """
    kind = functools.partial(_mixed, l2=keys["l2"], skipping=skipping)
    own = player == "generator"
    method = own and keys["generator_method"] or keys["method"]
    rate = own and keys["generator_learning_rate"] or keys["learning_rate"]
    until = keys["generator_until"] if own else 0
    if keys["halve_every"] or keys["decay_until"] or until:
        rate = LearningRate(rate, keys["halve_every"], keys["decay_from"], keys["decay_until"], until)
    if method == "rmsprop":
        return kind(keras.optimizers.RMSprop)(rate, rho=keys["beta_2"], epsilon=keys["epsilon"] ** 2)
    if method == "sgd":
        return kind(keras.optimizers.SGD)(rate, keys["momentum"])
    adam = kind(RootAdam if method == "adam_root" else FusedAdam)
    return adam(rate, keys["beta_1"], keys["beta_2"], keys["epsilon"])


def _mixed(kind: type[keras.optimizers.Optimizer], l2: float, skipping: bool) -> type[keras.optimizers.Optimizer]:
    kind = type(f"Regularised{kind.__name__}", (Regularised, kind), {"l2": l2}) if l2 else kind
    return type(f"Skipping{kind.__name__}", (Skipping, kind), {}) if skipping else kind


class Skipping(keras.optimizers.Optimizer):
    """Mixed in: a weight and its means stay where the sum over replicas of its gradient is NaN (`LossScale`)."""

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        def update():
            super(Skipping, self).update_step(gradient, variable, learning_rate)
            return tf.constant(True)

        tf.cond(tf.math.is_nan(tf.reshape(gradient, [-1])[0]), lambda: tf.constant(False), update)


class Regularised(keras.optimizers.Optimizer):
    """Mixed in: `l2` times each weight, gains and biases included, is added to its gradient (Radford et al.'s code).

    Here replicas' gradients are summed already. Moments are those of the sum, which is not decoupled weight decay.
    """

    l2: float

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        super().update_step(gradient + self.l2 * tf.convert_to_tensor(variable), variable, learning_rate)


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """Of each update: halved again and again, falling linearly to 0, and 0 after the last one; each unless it is 0.

    Args:
        halve_every: updates after which it is halved.
        decay_from, decay_until: updates between which it falls to 0.
        until: the last update.
    """

    def __init__(self, rate: float, halve_every: int, decay_from: int, decay_until: int, until: int):
        self.rate, self.halve_every, self.until = rate, halve_every, until
        self.decay_from, self.decay_until = decay_from, decay_until

    def __call__(self, step):
        done, rate = tf.cast(step, tf.float32), tf.constant(self.rate, tf.float32)
        if self.halve_every:
            rate *= tf.pow(0.5, tf.floor(done / self.halve_every))
        if self.decay_until:
            left = (self.decay_until - done) / (self.decay_until - self.decay_from)
            rate *= tf.clip_by_value(left, 0.0, 1.0)
        return tf.where(done >= self.until, 0.0, rate) if self.until else rate


class FusedAdam(keras.optimizers.Adam):
    """keras.optimizers.Adam (Kingma & Ba, 2015) by `ResourceApplyAdam`, which passes over the memory once.

    On two cores a step of the cifar10 recipe, whose denoiser has 46 million weights, is measurably faster with it
    (tools/benchmark.py). No amsgrad.
    """

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        step = tf.cast(self.iterations.value + 1, tf.float32)
        momentum, velocity = slots(self, variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.handle,
            v=velocity.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class RootAdam(keras.optimizers.Adam):
    """Adam as Salimans et al.'s code (2016) has it: epsilon stands below the root, beside the mean of squares.

    step = learning_rate m^ / sqrt(v^ + epsilon), m^ and v^ without the bias of their start. Kingma & Ba add epsilon to
    sqrt(v^), and TensorFlow's Adam to sqrt(v), a floor that is 31.6 times as high at step 1 where beta_2 is 0.999.
    """

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        step = tf.cast(self.iterations.value + 1, tf.float32)
        momentum, velocity = slots(self, variable)
        momentum.assign_add((gradient - momentum) * (1.0 - self.beta_1))
        velocity.assign_add((tf.square(gradient) - velocity) * (1.0 - self.beta_2))
        mean, square = momentum / (1.0 - tf.pow(self.beta_1, step)), velocity / (1.0 - tf.pow(self.beta_2, step))
        variable.assign_sub(tf.cast(learning_rate, tf.float32) * mean / tf.sqrt(square + self.epsilon))
