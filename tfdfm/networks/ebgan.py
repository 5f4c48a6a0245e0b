"""The networks of EBGAN (Zhao, Mathieu & LeCun, ICLR 2017, appendix C)."""

import math

import keras
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks import shapes
from tfdfm.networks.layers import BatchStatistics, Unlabelled
from tfdfm.networks.outputs import DiscriminatorOutput, of_reconstruction
from tfdfm.random import Noise


class FullyConnectedGenerator(Unlabelled):
    """The generator of EBGAN's grid on MNIST (section 4.1, appendix C): batch norm and ReLU after all but the last.

    Args:
        image_size: pixels a side.
        channels: 1 or 3.
        depth: layers in all (nLayerG).
        width: units of each but the last (sizeG).
        seed: of the initial weights.
    """

    convolutional = False

    def __init__(
        self, image_size: int, channels: int, num_classes: int = 0, *, depth=5, width=800, seed: int, **kwargs
    ):
        super().__init__(num_classes, seed, **kwargs)
        self.image_shape = (image_size, image_size, channels)
        self.hidden = [self.dense(width) for _ in range(depth - 1)]
        self.norms = [self.norm() for _ in self.hidden]
        self.last = self.dense(image_size**2 * channels, use_bias=True)

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> tf.Tensor:
        """latents [B, Z] -> images float32 [B, H, W, C] in [-1, 1]."""
        x = latents
        for dense, norm in zip(self.hidden, self.norms, strict=True):
            x = keras.ops.relu(norm(dense(x), statistics=statistics))
        return tf.reshape(tf.tanh(tf.cast(self.last(x), tf.float32)), [-1, *self.image_shape])


class NoisePlanesGenerator(Unlabelled):
    """EBGAN's generator for 128 and 256 pixels: maps of noise beside those of every layer but the last (appendix C).

    128 pixels and width n: 4x4 convolutions to 16n maps of 4x4, then stride 2 to 8n, 4n, 2n, n, n, and 3x3 to the
    image, with 100 latents and 64, 32, 16, 8, 4 planes beside them. 256: a layer of 32n in front and 2 planes more.
    Batch norm and ReLU after all but the last, tanh last, no biases. All the noise is in the latents, so that the
    image is a function of them: 31,844 numbers for 128 pixels, 64,612 for 256.

    Args:
        image_size: pixels a side: 4, times a power of two.
        channels: 1 or 3.
        width: n, the maps of the two layers before the image (paper: 64).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, channels: int, num_classes: int = 0, *, width: int = 64, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        self.noise = noise_shapes(image_size)
        self.num_latents = sum(side * side * planes for side, planes in self.noise)
        doublings = len(self.noise) - 1
        maps = [width * 2 ** max(doublings - 1 - i, 0) for i in range(doublings + 1)]
        strides = [4] + [2] * doublings  # the first makes 4x4 of 1x1
        self.convs = [self.transposed_conv(n, 4, s) for n, s in zip(maps, strides, strict=True)]
        self.norms = [self.norm() for _ in maps]
        self.last = self.transposed_conv(channels, 3)

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> tf.Tensor:
        """latents [B, Z] -> images float32 [B, H, W, C] in [-1, 1]."""
        sizes = [side * side * planes for side, planes in self.noise]
        noise = zip(tf.split(latents, sizes, axis=1), self.noise, strict=True)
        noise = [tf.reshape(z, [-1, side, side, planes]) for z, (side, planes) in noise]
        x = noise[0][..., :0]  # no maps yet
        for z, conv, norm in zip(noise, self.convs, self.norms, strict=True):
            x = keras.ops.relu(norm(conv(tf.concat([x, z], axis=-1)), statistics=statistics))
        return tf.tanh(tf.cast(self.last(x), tf.float32))


def noise_shapes(image_size: int) -> list[tuple[int, int]]:
    """(side, planes) of the noise that each layer of `NoisePlanesGenerator` takes, latents first.

    Raises:
        UsageError: a size that it cannot make.
    """
    doublings = (image_size // 4).bit_length() - 1
    if image_size < 8 or image_size != 4 * 2**doublings:
        raise UsageError(
            f"Expected image_size to be 4 times a power of two (16, 32, 64, 128, 256) for the generator NoisePlanes, "
            f"given {image_size}. Set --config.image_size."
        )
    return [(1, 100)] + [(4 * 2**i, 64 >> i) for i in range(doublings)]


class FullyConnectedDiscriminator(Unlabelled):
    """The discriminator of the GANs in EBGAN's grid on MNIST (section 4.1, appendix C).

    ReLU after all layers but the last, batch norm too but for the input layer; the paper's "each weight layer" would
    have it at the score as well, which is left linear here. Weights from N(0, 0.002).

    Args:
        image_size: pixels a side.
        depth: layers, at least 2 (nLayerD).
        width: units of each but the last (sizeD), and the features Phi, after the ReLU.
        dropout: the share of each of these layers' units that is dropped in training (dropoutD).
        seed: of the initial weights.
    """

    convolutional = False

    def __init__(self, image_size: int, num_classes: int = 0, *, depth=2, width=1024, dropout=0.0, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        if depth < 2 or not 0 <= dropout < 1:
            raise UsageError(
                f"Expected discriminator.depth of at least 2 and discriminator.dropout in [0, 1), given {depth} and "
                f"{dropout}. Set --config.discriminator.depth and --config.discriminator.dropout."
            )
        self.dropout = dropout
        self.num_features, self.feature_shape = width, (1, 1, width)
        self.first = self.dense(width, use_bias=True)
        self.hidden = [self.dense(width) for _ in range(depth - 2)]
        self.norms = [self.norm() for _ in self.hidden]

    def build(self, shape: tuple[int, ...]) -> None:
        self.last = self.dense(1, use_bias=True)

    def initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(0.0, 0.002, seed=self.next_seed())

    def encode(
        self, images: tf.Tensor, statistics: BatchStatistics | None, noise: Noise | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """images [B, H, W, C] -> features [B, F], and what the last layer is to see of them."""

        def dropped(x):
            return noise.dropout(x, self.dropout) if noise and self.dropout else x

        x = keras.ops.relu(self.first(tf.reshape(images, [-1, math.prod(images.shape[1:])])))
        for dense, norm in zip(self.hidden, self.norms, strict=True):
            x = keras.ops.relu(norm(dense(dropped(x)), statistics=statistics))
        return x, dropped(x)

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] -> score [B], features [B, F]."""
        features, x = self.encode(images, statistics, noise)
        return DiscriminatorOutput(tf.cast(tf.reshape(self.last(x), [-1]), tf.float32), tf.cast(features, tf.float32))


class FullyConnectedAutoencoderDiscriminator(FullyConnectedDiscriminator):
    """The discriminator of EBGAN's grid on MNIST (section 4.1, appendix C): a deep encoder, a decoder of one layer.

    Its other layers and its arguments are those of `FullyConnectedDiscriminator`; depth counts encoder and decoder
    together (nLayerD). The reconstruction is left linear, without the batch norm that "each weight layer" would have.
    """

    def build(self, shape: tuple[int, ...]) -> None:
        self.last = self.dense(shape[1] * shape[2] * shape[3], use_bias=True)

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] -> energy [B], features [B, F], reconstruction [B, H, W, C]."""
        code, x = self.encode(images, statistics, noise)
        return of_reconstruction(images, code, self.last(x), root_of_squares)


class ConvolutionalAutoencoderDiscriminator(Unlabelled):
    """EBGAN's discriminator for 64 to 256 pixels (appendix C): 4x4 convolutions of stride 2, and as many back.

    Encoder n, 2n, 4n maps up to 64 pixels, 8n too above; the decoder mirrors it. As in Radford et al.'s networks,
    whose guidance the paper followed: batch norm but for the first and the last layer, leaky ReLU of slope 0.2 in the
    encoder, ReLU in the decoder, no biases. The encoder's last nonlinearity is a ReLU, so that its output is the Phi
    of denoising feature matching. The reconstruction is linear.

    Args:
        image_size: pixels a side.
        width: n, the maps of the first layer (paper: 64).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, num_classes: int = 0, *, width: int = 64, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        maps = [width * 2**i for i in range(3 if image_size <= 64 else 4)]
        side = shapes.halved(image_size, len(maps))
        self.feature_shape, self.num_features = (side, side, maps[-1]), side**2 * maps[-1]
        self.encoder = [self.conv(n, 4, 2) for n in maps]
        self.encoder_norms = [self.norm() for _ in maps[1:]]
        self.decoder = [self.transposed_conv(n, 4, 2) for n in maps[-2::-1]]
        self.decoder_norms = [self.norm() for _ in self.decoder]

    def build(self, shape: tuple[int, ...]) -> None:
        self.last = self.transposed_conv(shape[-1], 4, 2)

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] -> energy [B], features [B, F], reconstruction [B, H, W, C]."""
        x = self.encoder[0](images)
        for norm, conv in zip(self.encoder_norms, self.encoder[1:], strict=True):
            x = norm(conv(tf.nn.leaky_relu(x, 0.2)), statistics=statistics)
        x = code = keras.ops.relu(x)
        for norm, conv in zip(self.decoder_norms, self.decoder, strict=True):
            x = keras.ops.relu(norm(conv(x), statistics=statistics))
        return of_reconstruction(images, tf.reshape(code, [-1, self.num_features]), self.last(x), root_of_squares)


def root_of_squares(error: tf.Tensor) -> tf.Tensor:
    """EBGAN's energy || Dec(Enc(x)) - x || (eq. 13); its gradient stays finite at 0.  [B, H, W, C] -> [B]"""
    return tf.sqrt(tf.reduce_sum(tf.square(error), axis=[1, 2, 3]) + 1e-12)
