"""The layers of "Improved techniques for training GANs" (Salimans et al., 2016)."""

import keras
import tensorflow as tf


class WeightNorm(keras.layers.Layer):
    """A dense layer or a convolution whose weights are g v / |v| (Salimans & Kingma, 2016), with biases.

    Their g is set so that the first batch has units of variance 1, and is fixed but in the last layers. Here it is what
    keeps the variance through the nonlinearity before it (He et al., 2015), for no data.

    Args:
        units: of the output.
        kernel_size, strides, padding: of a convolution; a kernel of 0: dense.
        gain: g at the start.
        deviation: of v at the start: the smaller, the faster Adam turns it.
        trained: whether g is trained.
        transposed: whether it is a transposed convolution of stride `strides`.
        seed: of v.
    """

    def __init__(
        self,
        units,
        kernel_size=0,
        strides=1,
        padding="SAME",
        *,
        gain,
        seed,
        deviation=0.05,
        trained=False,
        transposed=False,
        **kw,
    ):
        super().__init__(**kw)
        self.units, self.size, self.strides, self.padding = units, kernel_size, strides, padding
        self.gain, self._trained, self._transposed = gain, trained, transposed
        self._start = keras.initializers.RandomNormal(0.0, deviation, seed=seed)

    def build(self, shape: tuple[int, ...]) -> None:
        shape = [self.size] * 2 * bool(self.size) + [shape[-1], self.units]
        self.direction = _weight(self, "direction", shape, self._start)
        self.bias = _weight(self, "bias", [self.units], "zeros")
        if self._trained:
            self.gain = _weight(self, "gain", [self.units], keras.initializers.Constant(self.gain))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        axes = list(range(len(self.direction.shape) - 1))
        kernel = tf.math.l2_normalize(tf.convert_to_tensor(self.direction), axes, epsilon=1e-6) * self.gain
        kernel, bias = tf.cast(kernel, x.dtype), tf.cast(self.bias, x.dtype)
        if not self.size:
            return x @ kernel + bias
        if not self._transposed:
            return tf.nn.conv2d(x, kernel, self.strides, self.padding) + bias
        batch, height, width, _ = tf.unstack(tf.shape(x))
        shape = [batch, height * self.strides, width * self.strides, self.units]
        return tf.nn.conv2d_transpose(x, tf.transpose(kernel, [0, 1, 3, 2]), shape, self.strides, self.padding) + bias


class MinibatchDiscrimination(keras.layers.Layer):
    """How near an example is to the others of its batch (section 3.2): features [B, F] -> [B, F + kernels].

    o_b(x_i) = sum over j != i of exp(- |M_i,b - M_j,b|_1), M = f(x) T: `kernels` rows b of `width` numbers each. It
    couples the examples of a replica's batch: two replicas look at their halves. The scale of T's columns and a bias
    of o are trained, as in their code, where the first batch sets them: the nearest neighbour is 2 away on average, the
    mean of o plus its bias 0. Here they start where the features of CIFAR-10 put them.
    """

    couples_examples = True

    def __init__(self, seed: int, kernels: int = 100, width: int = 5, **kwargs):
        super().__init__(**kwargs)
        self._seed, self.kernels, self.width = seed, kernels, width

    def build(self, shape: tuple[int, ...]) -> None:
        normal = keras.initializers.RandomNormal(0.0, 0.05, seed=self._seed)
        self.direction = _weight(self, "direction", [shape[-1], self.kernels * self.width], normal)
        self.log_scale = _weight(self, "log_scale", [self.kernels * self.width], keras.initializers.Constant(1.9))
        self.bias = _weight(self, "bias", [self.kernels], keras.initializers.Constant(-1.4))

    def call(self, features: tf.Tensor) -> tf.Tensor:
        weights = tf.math.l2_normalize(tf.convert_to_tensor(self.direction), 0) * tf.exp(self.log_scale)
        rows = tf.reshape(tf.cast(features, tf.float32) @ weights, [-1, self.kernels, self.width])
        nearness = tf.exp(-tf.reduce_sum(tf.abs(rows[:, None] - rows[None]), axis=3))  # [B, B, kernels]
        others = tf.reduce_sum(nearness, axis=1) - 1.0  # without itself, whose distance is 0
        return tf.concat([features, tf.cast(others + self.bias, features.dtype)], axis=1)


class VirtualBatchNorm(keras.layers.Layer):
    """Batch norm by a reference batch of N examples (section 3.4), which are the first N rows of the inputs.

    The reference itself gets batch norm; each other example the moments of the reference and itself, (N ref + own) /
    (N + 1), so that examples do not depend on each other. As in their code's G: a bias, no gain.
    """

    epsilon = 1e-5

    def __init__(self, reference: int, **kwargs):
        super().__init__(**kwargs)
        self.reference = reference

    def build(self, shape: tuple[int, ...]) -> None:
        self.bias = _weight(self, "bias", [shape[-1]], "zeros")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        x = tf.cast(inputs, tf.float32)
        within = list(range(1, len(x.shape) - 1))  # positions
        x -= tf.reduce_mean(x[: self.reference], [0, *within], keepdims=True)  # far from 0 squares differ by rounding
        moments = [tf.reduce_mean(power, within, keepdims=True) for power in (x, tf.square(x))]  # of each example
        mean, square = (self._mixed(of, self.reference) for of in moments)
        y = (x - mean) * tf.math.rsqrt(square - tf.square(mean) + self.epsilon) + self.bias
        return tf.cast(y, inputs.dtype)

    @staticmethod
    def _mixed(own: tf.Tensor, n: int) -> tf.Tensor:
        reference = tf.reduce_mean(own[:n], axis=0, keepdims=True)
        return tf.concat([tf.repeat(reference, n, axis=0), (n * reference + own[n:]) / (n + 1.0)], axis=0)


def _weight(layer: keras.layers.Layer, name: str, shape: list[int], initializer) -> keras.Variable:
    """In float32 whatever the recipe's precision."""
    return layer.add_weight(name=name, shape=shape, initializer=initializer, dtype="float32", autocast=False)
