"""Encoders: images to the mean and the logarithm of the deviation of a Gaussian q(z | x)."""

import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.ali_layers import INWARDS, Valid
from tfdfm.networks.discriminators import keep
from tfdfm.networks.layers import BatchStatistics, Unlabelled, unit


class Thesis(Unlabelled):
    """The convolutions of the thesis's discriminator (Iliescu, 2018, section 3.4), then linear to mean and log sigma.

    Args:
        image_size: pixels a side, a multiple of 16.
        latent_size: Z.
        width: n, the maps of the first layer (thesis: 64).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, latent_size: int, num_classes=0, *, width: int = 64, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        self.units = shapes.halved(image_size, 4) ** 2 * width * 8
        self.convs = [self.conv(width * 2**i, 4, 2) for i in range(4)]
        self.norms = [keep, *(self.norm() for _ in self.convs[1:])]
        self.head = self.dense(2 * latent_size, use_bias=True)

    def call(self, images, statistics: BatchStatistics | None = None):
        """images [B, H, W, C] in [-1, 1] -> float32 mean [B, Z], log sigma [B, Z]."""
        x = images
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x), statistics=statistics), 0.2)
        return tf.split(tf.cast(self.head(tf.reshape(x, [-1, self.units])), tf.float32), 2, axis=1)


class Ali(Valid):
    """ALI's encoder for 32 pixels: batch norm and leaky ReLU of slope 0.1 after all convolutions but the last.

    5x5: n maps, 4x4: 2n stride 2, 4n, 8n stride 2, 16n, 1x1: 16n, 2Z with a bias.

    Args:
        image_size: 32.
        latent_size: Z (paper: 64).
        width: n, the maps of the first layer (paper: 32).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, latent_size: int, num_classes=0, *, width: int = 32, seed: int, **kwargs):
        super().__init__(image_size, num_classes, seed, **kwargs)
        self.convs = [self.conv(n * width, *step) for n, *step in (*INWARDS, (16, 1, 1))]
        self.norms = [self.norm() for _ in self.convs]
        self.last = self.conv(2 * latent_size, 1, use_bias=True)

    def call(self, images, statistics: BatchStatistics | None = None):
        """images [B, 32, 32, C] in [-1, 1] -> float32 mean [B, Z], log sigma [B, Z]."""
        x = unit(images)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x), statistics=statistics), 0.1)
        return tf.split(tf.cast(self.last(x), tf.float32)[:, 0, 0], 2, axis=1)
