"""Discriminators of images together with their codes."""

import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks.ali_layers import INWARDS, Valid, maxout
from tfdfm.networks.critique import Critique
from tfdfm.networks.layers import BatchStatistics, unit
from tfdfm.random import Noise


class Ali(Valid):
    """ALI's joint discriminator for 32 pixels: D(x) and D(z), each of up to 16n maps, then 32n, 32n, 1.

    D(x) has the encoder's convolutions but for the 1x1 ones, D(z) two layers of 16n; no batch norm. Maxout of 2 pieces
    leaves half of each layer's maps, as in their code (the paper's table can be read as twice as many); dropout of 0.2
    of x and z, of 0.5 before every other layer (the paper's table; their code leaves out two of them). Biases where
    their code has them: in D(x)'s first layer and in the joint ones.

    The features Phi are the 16n units that the last layer sees, before its dropout: the only ones in which image and
    code have met twice, so that a denoiser knows which image goes with which code. They are maxout's, not a ReLU's.

    Args:
        image_size: 32.
        width: n, the maps of the first layer before its maxout (paper: 32); even.
        seed: of the initial weights.
    """

    judges_codes = True

    def __init__(self, image_size: int, num_classes: int = 0, *, width: int = 32, seed: int, **kwargs):
        super().__init__(image_size, num_classes, seed, **kwargs)
        if width % 2:
            raise UsageError(f"Expected an even discriminator.width, as maxout takes pairs of maps, given {width}.")
        self.num_features, self.feature_shape = 16 * width, (1, 1, 16 * width)
        self.of_x = [self.conv(n * width, *step, use_bias=not place) for place, (n, *step) in enumerate(INWARDS)]
        self.of_z = [self.conv(16 * width, 1) for _ in range(2)]
        self.of_both = [self.conv(32 * width, 1, use_bias=True) for _ in range(2)]
        self.last = self.conv(1, 1, use_bias=True)

    def call(
        self, images, codes, labels=None, statistics: BatchStatistics | None = None, noise: Noise | None = None
    ) -> Critique:
        """images [B, 32, 32, C] in [-1, 1], codes [B, Z] -> score [B], features [B, F]."""
        x = _maxouts(self.of_x, unit(images), noise, first=0.2)
        z = _maxouts(self.of_z, codes[:, None, None, :], noise, first=0.2)
        features = _maxouts(self.of_both, tf.concat([x, z], axis=-1), noise, first=0.5)  # [B, 1, 1, F]
        score = self.last(_dropped(features, 0.5, noise))
        return Critique(*(tf.cast(y, tf.float32) for y in (score[:, 0, 0, 0], features[:, 0, 0])))


def _maxouts(convs: list, x, noise: Noise | None, *, first: float):
    for place, conv in enumerate(convs):
        x = maxout(conv(_dropped(x, 0.5 if place else first, noise)))
    return x


def _dropped(x, rate: float, noise: Noise | None):
    return noise.dropout(x, rate) if noise else x
