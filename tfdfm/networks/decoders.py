"""Generators that mirror an encoder: the thesis's and ALI's."""

import keras
import tensorflow as tf

from tfdfm.networks import generators, shapes
from tfdfm.networks.ali_layers import Valid
from tfdfm.networks.layers import BatchStatistics


class Thesis(generators.Radford):
    """The thesis's generator (Iliescu, 2018, sections 3.1 and 3.4): the inverse of its discriminator.

    Linear to 2x2x8n for 32 pixels, transposed 4x4 convolutions of stride 2: 4n, 2n, n, image. All else is as in
    `Radford`: batch norm and ReLU after all but the last, tanh last, no biases.

    Args:
        image_size: pixels a side, a multiple of 16.
        channels: 1 or 3.
        num_classes: labels are expected and concatenated at every layer if above 0.
        width: n, the maps of the layer before the image (thesis: 64).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, channels: int, num_classes: int = 0, *, width: int = 64, seed: int, **kwargs):
        super().__init__(image_size, channels, num_classes, width=width, seed=seed, **kwargs)

    def _plan(self, image_size: int, channels: int, width: int):
        maps = (4 * width, 2 * width, width, channels)
        return shapes.halved(image_size, 4), 8 * width, [(n, 4, 2) for n in maps]


class Ali(Valid):
    """ALI's generator for 32 pixels: batch norm and leaky ReLU of slope 0.1 after all convolutions but the last.

    Transposed convolutions without padding, 4x4: 8n maps, 4n stride 2, 2n, n stride 2, 5x5: n, 1x1: n; a 1x1
    convolution with a bias. The paper's sigmoid s gives pixels in [0, 1]; tanh(a / 2) = 2 s(a) - 1. Their code starts
    that bias, one for each pixel, where the image is the mean of data; here it is one for each channel.

    Args:
        image_size: 32.
        channels: 1 or 3.
        width: n, the maps of the last layers (paper: 32).
        log_odds: log(p / (1 - p)) of the data's mean pixel p in [0, 1], at which the bias starts.
        seed: of the initial weights.
    """

    def __init__(
        self, image_size: int, channels: int, num_classes=0, *, width: int = 32, log_odds=0.0, seed: int, **kwargs
    ):
        super().__init__(image_size, num_classes, seed, **kwargs)
        plan = ((8, 4, 1), (4, 4, 2), (2, 4, 1), (1, 4, 2), (1, 5, 1), (1, 1, 1))
        self.convs = [self.transposed_conv(n * width, *step) for n, *step in plan]
        self.norms = [self.norm() for _ in self.convs]
        self.last = self.conv(channels, 1, use_bias=True, bias_initializer=keras.initializers.Constant(log_odds))

    def call(self, latents, labels=None, statistics: BatchStatistics | None = None):
        """latents [B, Z] -> images float32 [B, 32, 32, C] in [-1, 1]."""
        x = latents[:, None, None, :]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x), statistics=statistics), 0.1)
        return tf.tanh(tf.cast(self.last(x), tf.float32) / 2.0)
