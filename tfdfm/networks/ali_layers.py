"""What ALI's three networks are made of (Dumoulin et al., 2017; slides)."""

import keras
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks.layers import Unlabelled

# Of the encoder and of D: (maps in widths, kernel, stride). Without padding 32 pixels become 28, 13, 10, 4, 1.
INWARDS = ((1, 5, 1), (2, 4, 2), (4, 4, 1), (8, 4, 2), (16, 4, 1))


class Valid(Unlabelled):
    """Convolutions without padding, weights N(0, 0.01), no labels, and images of 32 pixels.

    Raises:
        UsageError: another size.
    """

    def __init__(self, image_size: int, num_classes: int, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        if image_size != 32:
            raise UsageError(
                f"The networks of ALI are for 32 pixels: their convolutions have no padding. Given {image_size}. "
                "Set --config.image_size=32."
            )

    def initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(0.0, 0.01, seed=self.next_seed())

    def conv(self, filters: int, kernel_size: int, strides: int = 1, **kwargs) -> keras.layers.Layer:
        return keras.layers.Conv2D(filters, kernel_size, strides, "valid", **self._linear(kwargs))

    def transposed_conv(self, filters: int, kernel_size: int, strides: int = 1, **kwargs) -> keras.layers.Layer:
        return keras.layers.Conv2DTranspose(filters, kernel_size, strides, "valid", **self._linear(kwargs))


def maxout(x: tf.Tensor) -> tf.Tensor:
    """The larger one of each pair of neighbouring maps (Goodfellow et al., 2013).  [B, h, w, 2M] -> [B, h, w, M]"""
    return tf.reduce_max(tf.reshape(x, [-1, *x.shape[1:3], x.shape[3] // 2, 2]), axis=-1)
