"""Autoencoders as discriminators: images to an energy, the encoder's output as features, and the reconstruction."""

import keras
import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.critique import Critique
from tfdfm.networks.discriminators import FullyConnected
from tfdfm.networks.generators import Began
from tfdfm.networks.layers import BatchStatistics, Elu, Unlabelled
from tfdfm.random import Noise


class FullyConnectedAutoencoder(FullyConnected):
    """The discriminator of EBGAN's grid on MNIST (section 4.1, appendix C): a deep encoder, a decoder of one layer.

    Its other layers and its arguments are those of `FullyConnected`; depth counts encoder and decoder together
    (nLayerD). The reconstruction is left linear, without the batch norm that "each weight layer" would have.
    """

    def build(self, shape):
        self.last = self.dense(shape[1] * shape[2] * shape[3], use_bias=True)

    def call(
        self, images, labels=None, statistics: BatchStatistics | None = None, noise: Noise | None = None
    ) -> Critique:
        """images [B, H, W, C] in [-1, 1] -> energy [B], features [B, F], reconstruction [B, H, W, C]."""
        code, x = self.encode(images, statistics, noise)
        return _critique(images, code, self.last(x), root_of_squares)


class ConvolutionalAutoencoder(Unlabelled):
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

    def build(self, shape):
        self.last = self.transposed_conv(shape[-1], 4, 2)

    def call(
        self, images, labels=None, statistics: BatchStatistics | None = None, noise: Noise | None = None
    ) -> Critique:
        """images [B, H, W, C] in [-1, 1] -> energy [B], features [B, F], reconstruction [B, H, W, C]."""
        x = self.encoder[0](images)
        for norm, conv in zip(self.encoder_norms, self.encoder[1:], strict=True):
            x = norm(conv(tf.nn.leaky_relu(x, 0.2)), statistics=statistics)
        x = code = keras.ops.relu(x)
        for norm, conv in zip(self.decoder_norms, self.decoder, strict=True):
            x = keras.ops.relu(norm(conv(x), statistics=statistics))
        return _critique(images, tf.reshape(code, [-1, self.num_features]), self.last(x), root_of_squares)


class BeganAutoencoder(Elu):
    """BEGAN's discriminator: 3x3 convolutions with ELU, no batch norm, a linear code of 64 numbers.

    Pairs of convolutions with n, 2n, 3n, ... maps and one of stride 2 between pairs, down to 8x8; the decoder is the
    generator's architecture. The features are the code; no ReLU.

    Args:
        image_size: pixels a side.
        width: n, the maps of the first layer.
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, num_classes: int = 0, *, width: int = 128, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        self.image_size, self.width = image_size, width
        self.num_features, self.feature_shape = 64, (1, 1, 64)
        pairs = shapes.stages(image_size)[1]
        plan = [(width, 1)] + [(i * width, s) for i in range(1, pairs + 1) for s in (1, 1, 2)][:-1]
        self.convs = [self.elu_conv(*step) for step in plan]
        self.code = self.dense(64, use_bias=True)

    def build(self, shape):
        self.decoder = Began(
            self.image_size, shape[-1], width=self.width, seed=self.next_seed(), dtype=self.dtype_policy
        )

    def call(
        self, images, labels=None, statistics: BatchStatistics | None = None, noise: Noise | None = None
    ) -> Critique:
        """images [B, H, W, C] in [-1, 1] -> energy [B], features [B, F], reconstruction [B, H, W, C]."""
        x = images
        for conv in self.convs:
            x = conv(x)
        code = self.code(tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]]))
        return _critique(images, code, self.decoder(code), mean_absolute)


def _critique(images, code, reconstruction, energy) -> Critique:
    images = tf.cast(images, tf.float32)
    reconstruction = tf.reshape(tf.cast(reconstruction, tf.float32), tf.shape(images))
    return Critique(energy(reconstruction - images), tf.cast(code, tf.float32), reconstruction=reconstruction)


def root_of_squares(error: tf.Tensor) -> tf.Tensor:
    """EBGAN's energy || Dec(Enc(x)) - x || (eq. 13); its gradient stays finite at 0.  [B, H, W, C] -> [B]"""
    return tf.sqrt(tf.reduce_sum(tf.square(error), axis=[1, 2, 3]) + 1e-12)


def mean_absolute(error: tf.Tensor) -> tf.Tensor:
    """BEGAN's L, the L1 norm over the number of pixels.  [B, H, W, C] -> [B]"""
    return tf.reduce_mean(tf.abs(error), axis=[1, 2, 3])
