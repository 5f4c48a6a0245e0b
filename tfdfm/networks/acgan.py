"""The networks of AC-GAN (Odena, Olah & Shlens, ICML 2017, appendix A)."""

import keras
import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.layers import BatchStatistics, Network, keep, with_labels
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.random import Noise


class ACGANGenerator(Network):
    """AC-GAN's generator (Odena, Olah & Shlens, 2017, appendix A): the class beside the latents, at the input only.

    For 32 pixels and width n: linear to 4x4x4n with ReLU, transposed convolutions 5x5 stride 2: 2n, n with batch norm
    and ReLU, image with tanh. For 128: linear to 8x8x4n, 2n, 4n/3, n, image. Biases where there is no batch norm.
    The 64-pixel form was not published: that of 128 from 4x4. Up to 48 pixels the side doubles three times, above four.

    Args:
        image_size: pixels a side, a multiple of 8, above 48 of 16.
        channels: 1 or 3.
        num_classes: labels are expected and concatenated to the latents if above 0.
        width: n, the maps of the layer before the image (CIFAR-10: 96, ImageNet: 192).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, channels: int, num_classes: int = 0, *, width: int = 96, seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        self.num_classes = num_classes
        maps = [2 * width, width] if image_size <= 48 else [2 * width, 4 * width // 3, width]
        self.base = shapes.halved(image_size, len(maps) + 1)
        self.project = self.dense(self.base**2 * 4 * width, use_bias=True)
        self.convs = [self.transposed_conv(n, 5, 2) for n in maps]
        self.norms = [self.norm() for _ in maps]
        self.last = self.transposed_conv(channels, 5, 2, use_bias=True)

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> tf.Tensor:
        """latents [B, Z] (, labels int [B]) -> images float32 [B, H, W, C] in [-1, 1]."""
        one_hot = tf.one_hot(labels, self.num_classes) if self.num_classes else None
        x = keras.ops.relu(self.project(with_labels(latents, one_hot)))
        x = tf.reshape(x, [-1, self.base, self.base, x.shape[-1] // self.base**2])
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = keras.ops.relu(norm(conv(x), statistics=statistics))
        return tf.tanh(tf.cast(self.last(x), tf.float32))


class ACGANDiscriminator(Network):
    """AC-GAN's discriminator (Odena, Olah & Shlens, 2017, appendix A): an image's source and its class.

    Convolutions 3x3 of strides 2, 1, 2, 1, 2, 1 and n, 2n, 4n, 8n, 16n, 32n maps, batch norm after all but the first,
    leaky ReLU of slope 0.2, dropout 0.5, linear to 1 + C. The features Phi are a ReLU of the last convolution's maps,
    before the dropout: what the linear layer sees without its negative part, so that D stays the paper's with denoising
    feature matching and without.

    Args:
        image_size: pixels a side, a multiple of 8.
        num_classes: C.
        width: n, the maps of the first layer (paper: 16).
        noise: standard deviation of the noise on each convolution's activations in training ("activation noise"; the
            paper does not say where, here after the dropout).
        seed: of the initial weights.
    """

    classifies = True

    def __init__(self, image_size: int, num_classes: int, *, width: int = 16, noise: float = 0.0, seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        self.num_classes, self.noise = num_classes, noise
        side, maps = shapes.halved(image_size, 3), [width * 2**i for i in range(6)]
        self.feature_shape, self.num_features = (side, side, maps[-1]), side**2 * maps[-1]
        self.convs = [self.conv(n, 3, 2 - i % 2, use_bias=not i) for i, n in enumerate(maps)]
        self.norms = [keep, *(self.norm() for _ in maps[1:])]
        self.head = self.dense(1 + num_classes, use_bias=True)

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] -> score [B], features [B, F] after a ReLU, class_logits [B, C]."""
        x = images
        for conv, norm in zip(self.convs, self.norms, strict=True):
            maps = norm(conv(x), statistics=statistics)
            x = self._disturbed(tf.nn.leaky_relu(maps, 0.2), noise)
        features = tf.reshape(keras.ops.relu(maps), [-1, self.num_features])
        said = tf.cast(self.head(tf.reshape(x, [-1, self.num_features])), tf.float32)  # [B, 1 + C]
        return DiscriminatorOutput(said[:, 0], tf.cast(features, tf.float32), said[:, 1:])

    def _disturbed(self, x, noise: Noise | None):
        if noise is None:
            return x
        x = noise.dropout(x, 0.5)
        return noise.gaussian(x, self.noise) if self.noise else x
