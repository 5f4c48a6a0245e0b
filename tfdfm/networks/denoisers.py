"""Denoisers r: features to features of the data (paper, section 5)."""

import keras
import tensorflow as tf

from tfdfm.networks.layers import BatchStatistics, Network


class Whitening(Network):
    """What denoisers share: the scale on which they see features.

    Args:
        whiten: give features as multiples of the data's running deviation about its running mean, each by itself, so
            that one sigma means the same for every Phi; else as they are (the paper's).
        told_sigma: log sigma of each example is one more input beside its features, for several noise levels.
        seed: of the initial weights.
    """

    def __init__(self, whiten: bool, told_sigma: bool, seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        self.whitening = self.norm(gain=False, bias=False) if whiten else None
        self.told_sigma = told_sigma

    def scaled(self, features: tf.Tensor, statistics: BatchStatistics | None = None) -> tf.Tensor:
        """float32 [B, F] -> [B, F] on the denoiser's scale, of data and samples alike.

        Args:
            statistics: keep those of this batch, of data: the scale learns from them, and is not theirs.
        """
        if self.whitening is None:
            return features
        if statistics is not None:
            self.whitening(features, statistics=statistics)
        return tf.cast(self.whitening(features), tf.float32)

    def told(self, x: tf.Tensor, sigma: tf.Tensor | None) -> tf.Tensor:
        """[B, F] or [B, h, w, M] -> the same, with log sigma [B, 1] as one more feature or map where it is told."""
        if not self.told_sigma:
            return x
        level = tf.zeros([x.shape[0], 1]) if sigma is None else tf.math.log(sigma)
        level = tf.reshape(tf.cast(level, x.dtype), [-1, *[1] * (len(x.shape) - 1)])
        return tf.concat([x, tf.broadcast_to(level, [*x.shape[:-1], 1])], axis=-1)


class FullyConnectedDenoiser(Whitening):
    """The paper's denoiser: hidden layers of one width with batch norm and ReLU, a linear output with biases.

    Args:
        feature_shape: (height, width, maps) of Phi; its product is the number of features F.
        depth: hidden layers (ImageNet: 10).
        width: units of each (ImageNet: 2,048). The paper wants it at least as wide as Phi.
        whiten, told_sigma: as of `Whitening`.
        seed: of the initial weights.
    """

    convolutional = False

    def __init__(
        self,
        feature_shape: tuple[int, int, int],
        *,
        depth: int = 10,
        width: int = 2048,
        whiten: bool = False,
        told_sigma: bool = False,
        seed: int,
        **kwargs,
    ):
        super().__init__(whiten, told_sigma, seed, **kwargs)
        height, breadth, maps = feature_shape
        self.hidden = [self.dense(width) for _ in range(depth)]
        self.norms = [self.norm() for _ in range(depth)]
        self.last = self.dense(height * breadth * maps, use_bias=True)

    def call(
        self, features: tf.Tensor, statistics: BatchStatistics | None = None, sigma: tf.Tensor | None = None
    ) -> tf.Tensor:
        """float [B, F] (, sigma [B, 1]) -> float32 [B, F]."""
        x = self.told(features, sigma)
        for dense, norm in zip(self.hidden, self.norms, strict=True):
            x = keras.ops.relu(norm(dense(x), statistics=statistics))
        return tf.cast(self.last(x), tf.float32)


class ConvolutionalDenoiser(Whitening):
    """The convolutional denoiser that the paper tried and left for the fully connected one (section 5).

    Its form was not published: 3x3 convolutions over the feature maps here, all of one width, batch norm and ReLU in
    between.

    Args:
        feature_shape: (height, width, maps) of Phi.
        depth: hidden layers.
        width: maps of each.
        whiten, told_sigma: as of `Whitening`.
        seed: of the initial weights.
    """

    def __init__(
        self,
        feature_shape: tuple[int, int, int],
        *,
        depth: int = 10,
        width: int = 128,
        whiten: bool = False,
        told_sigma: bool = False,
        seed: int,
        **kwargs,
    ):
        super().__init__(whiten, told_sigma, seed, **kwargs)
        self.feature_shape = feature_shape
        self.hidden = [self.conv(width, 3) for _ in range(depth)]
        self.norms = [self.norm() for _ in range(depth)]
        self.last = self.conv(feature_shape[-1], 3, use_bias=True)

    def call(
        self, features: tf.Tensor, statistics: BatchStatistics | None = None, sigma: tf.Tensor | None = None
    ) -> tf.Tensor:
        """float [B, F] (, sigma [B, 1]) -> float32 [B, F]."""
        x = self.told(tf.reshape(features, [features.shape[0], *self.feature_shape]), sigma)
        for conv, norm in zip(self.hidden, self.norms, strict=True):
            x = keras.ops.relu(norm(conv(x), statistics=statistics))
        return tf.cast(tf.reshape(self.last(x), tf.shape(features)), tf.float32)
