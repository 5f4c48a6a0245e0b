"""Denoisers r: features to features of the data (paper, section 5)."""

import keras
import tensorflow as tf

from tfdfm.networks.layers import BatchStatistics, Network


class Whitening(Network):
    """What denoisers share: the scale on which they see features.

    Args:
        whiten: give features as multiples of the data's running deviation about its running mean, each by itself, so
            that one sigma means the same for every Phi; else as they are (the paper's).
        seed: of the initial weights.
    """

    def __init__(self, whiten: bool, seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        self.whitening = self.norm(gain=False, bias=False) if whiten else None

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


class FullyConnectedDenoiser(Whitening):
    """The paper's denoiser: hidden layers of one width with batch norm and ReLU, a linear output with biases.

    Args:
        feature_shape: (height, width, maps) of Phi; its product is the number of features F.
        depth: hidden layers (ImageNet: 10).
        width: units of each (ImageNet: 2,048). The paper wants it at least as wide as Phi.
        whiten: as of `Whitening`.
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
        seed: int,
        **kwargs,
    ):
        super().__init__(whiten, seed, **kwargs)
        height, breadth, maps = feature_shape
        self.hidden = [self.dense(width) for _ in range(depth)]
        self.norms = [self.norm() for _ in range(depth)]
        self.last = self.dense(height * breadth * maps, use_bias=True)

    def call(self, features: tf.Tensor, statistics: BatchStatistics | None = None) -> tf.Tensor:
        """float [B, F] -> float32 [B, F]."""
        x = features
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
        whiten: as of `Whitening`.
        seed: of the initial weights.
    """

    def __init__(
        self,
        feature_shape: tuple[int, int, int],
        *,
        depth: int = 10,
        width: int = 128,
        whiten: bool = False,
        seed: int,
        **kwargs,
    ):
        super().__init__(whiten, seed, **kwargs)
        self.feature_shape = feature_shape
        self.hidden = [self.conv(width, 3) for _ in range(depth)]
        self.norms = [self.norm() for _ in range(depth)]
        self.last = self.conv(feature_shape[-1], 3, use_bias=True)

    def call(self, features: tf.Tensor, statistics: BatchStatistics | None = None) -> tf.Tensor:
        """float [B, F] -> float32 [B, F]."""
        x = tf.reshape(features, [-1, *self.feature_shape])
        for conv, norm in zip(self.hidden, self.norms, strict=True):
            x = keras.ops.relu(norm(conv(x), statistics=statistics))
        return tf.cast(tf.reshape(self.last(x), tf.shape(features)), tf.float32)
