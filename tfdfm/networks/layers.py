"""Layers that networks share: initial weights of Radford et al., batch norm per source, labels at every layer."""

import keras
import numpy as np
import tensorflow as tf

from tfdfm import random
from tfdfm.errors import UsageError


class BatchStatistics:
    """Passed to a network's call: batch norm then uses the statistics of this very batch, and records them here.

    Data and samples each get their own (paper, section 5). Whoever made it adds `recorded` to the population
    statistics after the update, or leaves it. A call without one uses the population statistics.

    Args:
        synchronised: take the statistics over the batches of all replicas. Cannot be compiled by XLA.
    """

    def __init__(self, synchronised: bool = False):
        self.synchronised = synchronised
        self.recorded: list[tuple[keras.Variable, tf.Tensor]] = []
        self.kept: list[tuple[keras.Variable, tf.Tensor]] = []

    def record(self, variable: keras.Variable, value: tf.Tensor) -> None:
        self.recorded.append((variable, value))

    def keep(self, variable: keras.Variable, value: tf.Tensor) -> None:
        """A layer's state, which becomes `value` as it is."""
        self.kept.append((variable, value))


class BatchNorm(keras.layers.Layer):
    """Batch normalisation over all axes but the last (Ioffe & Szegedy, 2015) in one fused op, statistics in float32.

    Radford et al.'s code uses an epsilon of 1e-8 and no population statistics; 1e-5 is the least that cuDNN promises
    to take. Population statistics are never updated here: see `BatchStatistics`.

    Args:
        gain, bias: whether it has them; a layer without shows the normalised units themselves.
    """

    momentum = 0.99
    epsilon = 1e-5
    couples_examples = True

    def __init__(self, seed: int, *, gain: bool = True, bias: bool = True, **kwargs):
        super().__init__(**kwargs)
        self._gain = keras.initializers.RandomNormal(1.0, 0.02, seed=seed) if gain else None
        self._bias = bias

    def build(self, shape: tuple[int, ...]) -> None:
        def weight(name, initializer, **kwargs):
            return self.add_weight(
                name=name, shape=[shape[-1]], initializer=initializer, dtype="float32", autocast=False, **kwargs
            )

        self.gain = weight("gain", self._gain) if self._gain else np.ones(shape[-1:], np.float32)
        self.bias = weight("bias", "zeros") if self._bias else np.zeros(shape[-1:], np.float32)
        self.mean = weight("mean", "zeros", trainable=False, aggregation="mean")
        self.variance = weight("variance", "ones", trainable=False, aggregation="mean")

    def call(self, inputs: tf.Tensor, statistics: BatchStatistics | None = None) -> tf.Tensor:
        x = inputs if len(inputs.shape) == 4 else tf.reshape(inputs, [-1, 1, 1, inputs.shape[-1]])
        if statistics is None:
            y, *_ = self._fused(x, self.mean.value, self.variance.value, is_training=False)
            return tf.reshape(y, tf.shape(inputs))
        if statistics.synchronised:
            y, mean, variance = self._synchronised(x)
        else:
            y, mean, variance, *_ = self._fused(x, [], [], is_training=True)
        statistics.record(self.mean, mean)
        statistics.record(self.variance, variance)
        return tf.reshape(y, tf.shape(inputs))

    def _fused(self, x, mean, variance, is_training):
        return tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=tf.convert_to_tensor(self.gain),
            offset=tf.convert_to_tensor(self.bias),
            mean=mean,
            variance=variance,
            epsilon=self.epsilon,
            is_training=is_training,
        )

    def _synchronised(self, x):
        """Moments over the global batch; the variance is recorded unbiased, as the fused op does."""
        replicas = tf.distribute.get_replica_context()
        wide = tf.cast(x, tf.float32)
        mean = replicas.all_reduce("MEAN", tf.reduce_mean(wide, axis=[0, 1, 2]))
        variance = replicas.all_reduce("MEAN", tf.reduce_mean(tf.math.square(wide - mean), axis=[0, 1, 2]))
        y = tf.nn.batch_normalization(wide, mean, variance, self.bias, self.gain, self.epsilon)
        count = tf.size(x, tf.float32) / x.shape[-1] * replicas.num_replicas_in_sync
        return tf.cast(y, x.dtype), mean, variance * count / (count - 1.0)


class Network(keras.Model):
    """A subclassed model whose initial weights are Radford et al.'s, a function of (seed, place of the layer).

    Args:
        seed: of the initial weights.
    """

    convolutional = True  # whether most of its products are convolutions
    classifies = False  # whether a discriminator gives class logits, instead of taking labels
    takes_codes = False  # whether a discriminator takes images together with their codes
    looks_through = ""  # the classifier whose features it sees, which cannot judge samples that were made to please it

    def __init__(self, seed: int, **kwargs):
        super().__init__(**kwargs)
        self._seed = seed
        self._places = 0

    def next_seed(self) -> int:
        self._places += 1
        return random.key(self._seed, f"weights/{self._places}") % 2**31

    def initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(0.0, 0.02, seed=self.next_seed())

    def dense(self, units: int, **kwargs) -> keras.layers.Layer:
        return keras.layers.Dense(units, **self._linear(kwargs))

    def conv(self, filters: int, kernel_size: int, strides: int = 1, **kwargs) -> keras.layers.Layer:
        return keras.layers.Conv2D(filters, kernel_size, strides, "same", **self._linear(kwargs))

    def transposed_conv(self, filters: int, kernel_size: int, strides: int = 1, **kwargs) -> keras.layers.Layer:
        return keras.layers.Conv2DTranspose(filters, kernel_size, strides, "same", **self._linear(kwargs))

    def norm(self, **kwargs) -> BatchNorm:
        return BatchNorm(self.next_seed(), dtype=self.dtype_policy, **kwargs)

    def _linear(self, kwargs) -> dict:
        return {"use_bias": False, "kernel_initializer": self.initializer(), "dtype": self.dtype_policy, **kwargs}


class Unlabelled(Network):
    """A network that takes no labels.

    Raises:
        UsageError: it is to take them.
    """

    def __init__(self, num_classes: int, seed: int, **kwargs):
        if num_classes:
            raise UsageError(f"The network {type(self).__name__} takes no labels. Set --config.conditional=False.")
        super().__init__(seed, **kwargs)
        self.num_classes = 0


def keep(x: tf.Tensor, statistics: BatchStatistics | None = None) -> tf.Tensor:
    """In the place of a batch norm: nothing."""
    return x


def unit(images: tf.Tensor) -> tf.Tensor:
    """Pixels in [-1, 1] -> [0, 1], where a paper has them so."""
    return images * 0.5 + 0.5


def with_labels(x: tf.Tensor, one_hot: tf.Tensor | None) -> tf.Tensor:
    """Labels concatenated to features, to maps as constant planes (Radford et al.'s conditional MNIST)."""
    if one_hot is None:
        return x
    one_hot = tf.cast(one_hot, x.dtype)  # [B, C]
    if len(x.shape) == 4:
        one_hot = tf.tile(one_hot[:, None, None, :], [1, x.shape[1], x.shape[2], 1])
    return tf.concat([x, one_hot], axis=-1)
