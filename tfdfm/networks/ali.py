"""The networks of adversarially learned inference (Dumoulin et al., ICLR 2017; slides)."""

import keras
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks.layers import BatchStatistics, Unlabelled, keep, unit
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.random import Noise

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


class ALIGenerator(Valid):
    """ALI's generator for 32 pixels: batch norm and leaky ReLU after all convolutions but the last.

    Transposed convolutions without padding, 4x4: 8n maps, 4n stride 2, 2n, n stride 2, 5x5: n, 1x1: n; a 1x1
    convolution with a bias. The paper's sigmoid s gives pixels in [0, 1]; tanh(a / 2) = 2 s(a) - 1. Their code starts
    that bias, one for each pixel, where the image is the mean of data; here it is one for each channel.

    Args:
        image_size: 32.
        channels: 1 or 3.
        width: n, the maps of the last layers (paper: 32).
        slope: of the leaky ReLU (CIFAR-10: 0.1, SVHN: 0.01).
        log_odds: log(p / (1 - p)) of the data's mean pixel p in [0, 1], at which the bias starts.
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        num_classes: int = 0,
        *,
        width: int = 32,
        slope: float = 0.1,
        log_odds: float = 0.0,
        seed: int,
        **kwargs,
    ):
        super().__init__(image_size, num_classes, seed, **kwargs)
        self.slope = slope
        plan = ((8, 4, 1), (4, 4, 2), (2, 4, 1), (1, 4, 2), (1, 5, 1), (1, 1, 1))
        self.convs = [self.transposed_conv(n * width, *step) for n, *step in plan]
        self.norms = [self.norm() for _ in self.convs]
        self.last = self.conv(channels, 1, use_bias=True, bias_initializer=keras.initializers.Constant(log_odds))

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> tf.Tensor:
        """latents [B, Z] -> images float32 [B, 32, 32, C] in [-1, 1]."""
        x = latents[:, None, None, :]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x), statistics=statistics), self.slope)
        return tf.tanh(tf.cast(self.last(x), tf.float32) / 2.0)


class ALIEncoder(Valid):
    """ALI's encoder for 32 pixels: batch norm and leaky ReLU after all convolutions but the last.

    5x5: n maps, 4x4: 2n stride 2, 4n, 8n stride 2, 16n, 1x1: 16n, 2Z with a bias.

    Args:
        image_size: 32.
        latent_size: Z (paper: 64).
        width: n, the maps of the first layer (paper: 32).
        slope: of the leaky ReLU (CIFAR-10: 0.1, SVHN: 0.01).
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        latent_size: int,
        num_classes: int = 0,
        *,
        width: int = 32,
        slope: float = 0.1,
        seed: int,
        **kwargs,
    ):
        super().__init__(image_size, num_classes, seed, **kwargs)
        self.slope = slope
        self.convs = [self.conv(n * width, *step) for n, *step in (*INWARDS, (16, 1, 1))]
        self.norms = [self.norm() for _ in self.convs]
        self.last = self.conv(2 * latent_size, 1, use_bias=True)

    def activations(self, images: tf.Tensor, statistics: BatchStatistics | None = None) -> list[tf.Tensor]:
        """What each convolution but the last says, after the nonlinearity: [B, h, w, maps]."""
        maps = [unit(images)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            maps.append(tf.nn.leaky_relu(norm(conv(maps[-1]), statistics=statistics), self.slope))
        return maps[1:]

    def call(self, images: tf.Tensor, statistics: BatchStatistics | None = None) -> list[tf.Tensor]:
        """images [B, 32, 32, C] in [-1, 1] -> float32 mean [B, Z], log sigma [B, Z]."""
        x = self.activations(images, statistics)[-1]
        return tf.split(tf.cast(self.last(x), tf.float32)[:, 0, 0], 2, axis=1)


class ALIDiscriminator(Valid):
    """ALI's joint discriminator for 32 pixels: D(x) and D(z), each of up to 16n maps, then 32n, 32n, 1.

    D(x) has the encoder's convolutions but for the 1x1 ones, D(z) two layers of 16n; no batch norm. Maxout of 2 pieces
    leaves half of each layer's maps, as in their code (the paper's table can be read as twice as many); dropout of 0.2
    of x and z, of 0.5 before every other layer (the paper's table; their code leaves out two of them). Biases where
    their code has them: in D(x)'s first layer and in the joint ones.

    On SVHN (appendix A) leaky ReLUs of slope 0.01 take the place of maxout, which leaves all maps, D(x) has batch norm
    after all but its first layer, and dropout is 0.2 everywhere.

    The features Phi are the 16n units (SVHN: 32n) that the last layer sees, before its dropout: the only ones in which
    image and code have met twice, so that a denoiser knows which image goes with which code. They are not a ReLU's.

    Args:
        image_size: 32.
        width: n, the maps of the first layer before its maxout (paper: 32); even.
        maxout: whether the layers have it (CIFAR-10), or leaky ReLUs (SVHN).
        seed: of the initial weights.
    """

    takes_codes = True

    def __init__(
        self, image_size: int, num_classes: int = 0, *, width: int = 32, maxout: bool = True, seed: int, **kwargs
    ):
        super().__init__(image_size, num_classes, seed, **kwargs)
        self.maxout, pieces = maxout, 2 if maxout else 1
        if width % pieces:
            raise UsageError(f"Expected an even discriminator.width, as maxout takes pairs of maps, given {width}.")
        self.num_features = 32 * width // pieces
        self.feature_shape = (1, 1, self.num_features)
        self.of_x = [self.conv(n * width, *step, use_bias=not place) for place, (n, *step) in enumerate(INWARDS)]
        self.of_z = [self.conv(16 * width, 1) for _ in range(2)]
        self.of_both = [self.conv(32 * width, 1, use_bias=True) for _ in range(2)]
        self.last = self.conv(1, 1, use_bias=True)
        self.x_norms = [keep if maxout or not place else self.norm() for place in range(len(self.of_x))]

    def call(
        self,
        images: tf.Tensor,
        codes: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, 32, 32, C] in [-1, 1], codes [B, Z] -> score [B], features [B, F]."""
        later = 0.5 if self.maxout else 0.2
        x, z = unit(images), codes[:, None, None, :]
        for place, (conv, norm) in enumerate(zip(self.of_x, self.x_norms, strict=True)):
            x = self._bent(norm(conv(_dropped(x, later if place else 0.2, noise)), statistics=statistics))
        for place, conv in enumerate(self.of_z):
            z = self._bent(conv(_dropped(z, later if place else 0.2, noise)))
        features = tf.concat([x, z], axis=-1)
        for conv in self.of_both:
            features = self._bent(conv(_dropped(features, later, noise)))  # [B, 1, 1, F]
        score = self.last(_dropped(features, later, noise))
        return DiscriminatorOutput(*(tf.cast(y, tf.float32) for y in (score[:, 0, 0, 0], features[:, 0, 0])))

    def _bent(self, x: tf.Tensor) -> tf.Tensor:
        return maxout(x) if self.maxout else tf.nn.leaky_relu(x, 0.01)


def _dropped(x, rate: float, noise: Noise | None):
    return noise.dropout(x, rate) if noise else x
