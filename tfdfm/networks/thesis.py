"""The discriminator of the thesis: DCGAN with four convolutions."""

import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.critique import Critique
from tfdfm.networks.discriminators import Radford
from tfdfm.networks.layers import BatchStatistics
from tfdfm.random import Noise


class Thesis(Radford):
    """Four 4x4 convolutions of stride 2 with n, 2n, 4n, 8n maps, then linear (Iliescu, 2018, sections 3.1 and 3.4).

    All else is as in `Radford`: batch norm after all but the first, leaky ReLU, a ReLU last. Shows the activations of
    its third convolution, 4x4x4n of 32 pixels.

    Args:
        image_size: pixels a side, a multiple of 16.
        num_classes: labels are expected and concatenated at every layer if above 0.
        width: n (thesis: 64).
        batch_norm: biases take its place in a critic that must not have it.
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, num_classes: int = 0, *, width: int = 64, batch_norm=True, seed: int, **kwargs):
        super().__init__(image_size, num_classes, width=width, batch_norm=batch_norm, seed=seed, **kwargs)

    def _plan(self, image_size: int, width: int):
        return shapes.halved(image_size, 4), [(width * 2**i, 4, 2) for i in range(4)]

    def call(
        self, images, labels=None, statistics: BatchStatistics | None = None, noise: Noise | None = None
    ) -> Critique:
        """images [B, H, W, C] in [-1, 1] (, labels int [B]) -> score [B], features [B, F], activations [B, h, w, M]."""
        maps = self.normalised(images, labels, statistics)
        return self._critique(maps, labels)._replace(activations=tf.cast(maps[2], tf.float32))
