"""The generators of "Improved techniques for training GANs" (Salimans et al., 2016), from their code."""

import keras
import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.layers import BatchStatistics, Unlabelled
from tfdfm.networks.salimans_layers import VirtualBatchNorm, WeightNorm


class Salimans(Unlabelled):
    """Their CIFAR-10 generator: linear to 4x4x4n, 5x5 transposed convolutions of stride 2 to 2n, n and the image.

    Batch norm without gain and ReLU, weight norm and tanh last. With `reference` latents, drawn once by the seed,
    batch norm is virtual: they pass through the network with every batch, in training and in service.

    Args:
        image_size: pixels a side.
        channels: 1 or 3.
        width: n, the maps before the image (their code: 128).
        reference: latents of virtual batch norm (section 3.4); 0: plain batch norm.
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        num_classes=0,
        *,
        width: int = 128,
        reference: int = 0,
        seed: int,
        **kwargs,
    ):
        super().__init__(num_classes, seed, **kwargs)
        self.reference = reference
        self.base, _ = shapes.stages(image_size)
        inner = shapes.widths(image_size, width)[::-1]  # widest first
        self.project = self.dense(self.base**2 * inner[0])
        self.convs = [self.transposed_conv(n, 5, 2) for n in inner[1:]]
        self.norms = [self._norm() for _ in inner]
        how = {"gain": 0.3, "trained": True, "transposed": True, "dtype": self.dtype_policy}
        self.last = WeightNorm(channels, 5, 2, seed=self.next_seed(), **how)

    def build(self, shape):
        start = keras.initializers.RandomUniform(-1.0, 1.0, seed=self.next_seed())
        if self.reference:
            self.chosen = self.add_weight(
                name="reference", shape=[self.reference, shape[-1]], initializer=start, trainable=False, autocast=False
            )

    def _norm(self) -> keras.layers.Layer:
        if self.reference:
            return VirtualBatchNorm(self.reference, dtype=self.dtype_policy)
        return self.norm(gain=False)

    def initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(0.0, 0.05, seed=self.next_seed())

    def call(self, latents, labels=None, statistics: BatchStatistics | None = None):
        """latents [B, Z] -> images float32 [B, H, W, C] in [-1, 1]."""
        x = tf.concat([tf.cast(self.chosen, latents.dtype), latents], axis=0) if self.reference else latents
        how = {} if self.reference else {"statistics": statistics}
        first, *norms = self.norms
        x = keras.ops.relu(first(self.project(x), **how))
        x = tf.reshape(x, [-1, self.base, self.base, x.shape[-1] // self.base**2])
        for norm, conv in zip(norms, self.convs, strict=True):
            x = keras.ops.relu(norm(conv(x), **how))
        return tf.tanh(tf.cast(self.last(x[self.reference :]), tf.float32))


class SalimansFullyConnected(Unlabelled):
    """Their MNIST generator: 500-500 softplus with batch norm without gain, then a sigmoid with weight norm.

    Pixels in [0, 1] are taken to [-1, 1] last.

    Args:
        image_size: pixels a side.
        channels: 1 or 3.
        width: units of both hidden layers.
        seed: of the initial weights.
    """

    convolutional = False

    def __init__(self, image_size: int, channels: int, num_classes: int = 0, *, width: int = 500, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        self.image_shape = (image_size, image_size, channels)
        self.hidden = [self.dense(width) for _ in range(2)]
        self.norms = [self.norm(gain=False) for _ in range(2)]
        how = {"gain": 1.0, "trained": True, "dtype": self.dtype_policy}
        self.last = WeightNorm(image_size**2 * channels, seed=self.next_seed(), **how)

    def initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=self.next_seed())

    def call(self, latents, labels=None, statistics: BatchStatistics | None = None):
        """latents [B, Z] -> images float32 [B, H, W, C] in [-1, 1]."""
        x = latents
        for dense, norm in zip(self.hidden, self.norms, strict=True):
            x = tf.nn.softplus(norm(dense(x), statistics=statistics))
        x = tf.sigmoid(tf.cast(self.last(x), tf.float32))
        return tf.reshape(x * 2.0 - 1.0, [-1, *self.image_shape])
