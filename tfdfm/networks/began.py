"""The networks of BEGAN (Berthelot, Schumm & Metz, 2017)."""

import keras
import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.layers import BatchStatistics, Unlabelled
from tfdfm.networks.outputs import DiscriminatorOutput, of_reconstruction
from tfdfm.random import Noise


class Elu(Unlabelled):
    """What BEGAN's networks are made of: 3x3 convolutions and ELU without batch norm; Glorot's initial weights."""

    def initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=self.next_seed())

    def elu_conv(self, filters: int, strides: int = 1) -> keras.layers.Layer:
        return self.conv(filters, 3, strides, use_bias=True, activation="elu")


class BEGANGenerator(Elu):
    """BEGAN's generator, which is also the decoder of its discriminator (Berthelot et al., 2017).

    Linear to n maps of 8x8 (12x12 for 48 and 96 pixels), pairs of 3x3 convolutions with ELU, nearest upsampling
    between pairs, no batch norm. Public code ends linearly and clips what it shows; a tanh here, since all that
    follows takes images in [-1, 1].

    Args:
        image_size: pixels a side.
        channels: 1 or 3.
        width: n, the maps of every layer.
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, channels: int, num_classes: int = 0, *, width: int = 128, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        base, pairs = shapes.stages(image_size)
        self.maps_shape = (2 * base, 2 * base, width)
        self.project = self.dense(4 * base**2 * width, use_bias=True)
        self.convs = [self.elu_conv(width) for _ in range(2 * pairs)]
        self.last = self.conv(channels, 3, use_bias=True)

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> tf.Tensor:
        """latents [B, Z] -> images float32 [B, H, W, C] in [-1, 1]."""
        x = tf.reshape(self.project(latents), [-1, *self.maps_shape])
        for place, conv in enumerate(self.convs):
            if place and place % 2 == 0:
                x = keras.ops.repeat(keras.ops.repeat(x, 2, axis=1), 2, axis=2)
            x = conv(x)
        return tf.tanh(tf.cast(self.last(x), tf.float32))


class BEGANDiscriminator(Elu):
    """BEGAN's discriminator: 3x3 convolutions with ELU, no batch norm, a linear code of 64 numbers.

    Pairs of convolutions with n, 2n, 3n, ... maps and one of stride 2 between pairs, down to 8x8; the decoder is the
    generator's architecture. The features are the code; no ReLU.

    Args:
        image_size: pixels a side.
        width: n, the maps of the first layer.
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, num_classes: int = 0, *, width: int = 128, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        self.image_size, self.width = image_size, width
        self.num_features, self.feature_shape = 64, (1, 1, 64)
        pairs = shapes.stages(image_size)[1]
        plan = [(width, 1)] + [(i * width, s) for i in range(1, pairs + 1) for s in (1, 1, 2)][:-1]
        self.convs = [self.elu_conv(*step) for step in plan]
        self.code = self.dense(64, use_bias=True)

    def build(self, shape: tuple[int, ...]) -> None:
        self.decoder = BEGANGenerator(
            self.image_size, shape[-1], width=self.width, seed=self.next_seed(), dtype=self.dtype_policy
        )

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] -> energy [B], features [B, F], reconstruction [B, H, W, C]."""
        x = images
        for conv in self.convs:
            x = conv(x)
        code = self.code(tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]]))
        return of_reconstruction(images, code, self.decoder(code), mean_absolute)


def mean_absolute(error: tf.Tensor) -> tf.Tensor:
    """BEGAN's L, the L1 norm over the number of pixels.  [B, H, W, C] -> [B]"""
    return tf.reduce_mean(tf.abs(error), axis=[1, 2, 3])
