"""Generators: latents to images."""

import keras
import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.layers import BatchStatistics, Network, with_labels


class Radford(Network):
    """Radford et al.'s generator (DCGAN, ICLR 2016): the 32-pixel ImageNet form below 64 pixels, else the 64-pixel one.

    For 32 pixels and width n: linear to 4x4x4n, transposed convolutions 3x3: 4n stride 2, 2n, 2n stride 2, n, n
    stride 2, image. For 64 pixels: linear to 4x4x8n, transposed convolutions 5x5 stride 2: 4n, 2n, n, image. Other
    sizes have more or fewer of these stages (16: two, 96 and 128: four and five, no wider than 8n); 48 and 96 pixels
    start at 6x6. Batch norm and ReLU after all but the last (of the linear layer's units, not its maps, as in their
    code), tanh last, no biases anywhere.

    Args:
        image_size: pixels a side.
        channels: 1 or 3.
        num_classes: labels are expected and concatenated at every layer if above 0.
        width: n, the maps of the layer before the image (Radford: 128).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, channels: int, num_classes: int = 0, *, width: int = 128, seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        self.num_classes = num_classes
        self.base, _ = shapes.stages(image_size)
        inner = shapes.widths(image_size, width)[::-1]  # widest first
        self.project = self.dense(self.base**2 * inner[0])
        if shapes.paired(image_size):
            plan = [step for i, n in enumerate(inner) for step in ((n, 3, 2), ((inner + [channels])[i + 1], 3, 1))]
        else:
            plan = [(n, 5, 2) for n in [*inner[1:], channels]]
        *hidden, last = plan
        self.convs = [self.transposed_conv(*step) for step in hidden]
        self.project_norm = self.norm()
        self.norms = [self.norm() for _ in hidden]
        self.last = self.transposed_conv(*last)

    def call(self, latents, labels=None, statistics: BatchStatistics | None = None):
        """latents [B, Z] (, labels int [B]) -> images float32 [B, H, W, C] in [-1, 1]."""
        one_hot = tf.one_hot(labels, self.num_classes) if self.num_classes else None
        x = self.project_norm(
            self.project(with_labels(latents, one_hot)), statistics=statistics
        )  # [B, base * base * n]
        x = tf.reshape(keras.ops.relu(x), [-1, self.base, self.base, x.shape[-1] // self.base**2])
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = keras.ops.relu(norm(conv(with_labels(x, one_hot)), statistics=statistics))
        return tf.tanh(tf.cast(self.last(with_labels(x, one_hot)), tf.float32))
