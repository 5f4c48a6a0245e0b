"""The networks of R3GAN (Huang et al., NeurIPS 2024): grouped residual blocks, no normalisation of activations."""

import math

import keras
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks import shapes
from tfdfm.networks.layers import BatchStatistics, Network
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.random import Noise

SLOPE = 0.2  # of the leaky ReLU
GAIN = math.sqrt(2.0 / (1.0 + SLOPE**2))  # which keeps the variance through it
EXPANSION, LINEAR_LAYERS = 2, 3  # of a residual block
EMBEDDING = 64  # of a label in G


class R3GANNetwork(Network):
    """Layers of R3GAN: no biases but before a leaky ReLU; weights N(0, gain^2 / inputs) (He et al., 2015).

    In a residual block the gain is also divided by the 4th root of the number of blocks and the last layer starts at
    0 (Fixup: Zhang et al., 2019).

    Args:
        image_size: pixels a side, 4 times a power of two.
        width: maps of every stage.
        blocks: residual blocks of a stage.
        group: maps of a group of the 3x3 convolutions.
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, width: int, blocks: int, group: int, seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        base, times = shapes.stages(image_size)
        if base != 4:
            raise UsageError(
                f"R3GAN's networks start from 4x4 maps, given image_size={image_size}. "
                "Set --config.image_size to 16, 32, 64 or 128."
            )
        if EXPANSION * width % group:
            raise UsageError(
                f"Expected group to divide {EXPANSION} times the width {width}, given {group}. Set --config.*.group."
            )
        self.width, self.group, self.blocks = width, group, (times + 1) * blocks
        self.stages = [[ResidualBlock(self) for _ in range(blocks)] for _ in range(times + 1)]

    def normal(self, deviation: float) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(0.0, deviation, seed=self.next_seed())

    def pointwise(self, maps: int, gain: float = 1.0) -> keras.layers.Layer:
        """1x1: the same matrix at each place, of vectors too."""
        initial = keras.initializers.VarianceScaling(gain**2, "fan_in", "untruncated_normal", seed=self.next_seed())
        return self.dense(maps, kernel_initializer=initial)


class ResidualBlock(keras.layers.Layer):
    """1x1 to twice the maps, bias, leaky ReLU; 3x3 in groups, bias, leaky ReLU; 1x1 back, from 0; added to its input.

    The grouped convolution is a matrix product of each group's nine neighbours: TensorFlow has no gradient of grouped
    convolutions on CPUs.
    """

    def __init__(self, network: R3GANNetwork):
        super().__init__(dtype=network.dtype_policy)
        wide, self.group = EXPANSION * network.width, network.group
        gain = GAIN * network.blocks ** (-1 / (2 * LINEAR_LAYERS - 2))
        self.widen = network.pointwise(wide, gain)
        groups, inputs = wide // self.group, 9 * self.group
        self.kernel = self.add_weight(
            name="kernel", shape=[groups, inputs, self.group], initializer=network.normal(gain / math.sqrt(inputs))
        )
        self.biases = [self.add_weight(name=f"bias_{place}", shape=[wide], initializer="zeros") for place in (1, 2)]
        self.narrow = network.dense(network.width, kernel_initializer="zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, h, w, M] -> [B, h, w, M]"""
        y = tf.nn.leaky_relu(self.widen(x) + self.biases[0], SLOPE)
        y = tf.nn.leaky_relu(self._grouped(y) + self.biases[1], SLOPE)
        return x + self.narrow(y)

    def _grouped(self, x: tf.Tensor) -> tf.Tensor:
        _, height, breadth, maps = x.shape
        padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        padded = tf.reshape(padded, [-1, height + 2, breadth + 2, maps // self.group, self.group])
        near = [padded[:, i : i + height, j : j + breadth] for i in range(3) for j in range(3)]
        found = tf.einsum("bhwgi,gio->bhwgo", tf.concat(near, axis=-1), tf.convert_to_tensor(self.kernel))
        return tf.reshape(found, [-1, height, breadth, maps])


class R3GANGenerator(R3GANNetwork):
    """R3GAN's generator: a learnt basis of 4x4 maps weighted by the latent, stages of residual blocks, 1x1 to pixels.

    Between stages the maps are doubled by bilinear interpolation, [1, 3, 3, 1]. The image has no tanh. A label is
    embedded in 64 numbers, as many as their latent has, and concatenated to it.

    Args:
        image_size, width, blocks, group: as of `R3GANNetwork` (CIFAR-10: 768 maps, 2 blocks, groups of 16).
        channels: 1 or 3.
        num_classes: labels are expected if above 0.
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        num_classes: int = 0,
        *,
        width: int = 768,
        blocks: int = 2,
        group: int = 16,
        seed: int,
        **kwargs,
    ):
        super().__init__(image_size, width, blocks, group, seed, **kwargs)
        self.num_classes = num_classes
        self.basis = self.add_weight(name="basis", shape=[4, 4, width], initializer=self.normal(1.0))
        self.project, self.to_pixels = self.pointwise(width), self.pointwise(channels)
        if num_classes:
            self.embed = self.pointwise(EMBEDDING)

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> tf.Tensor:
        """latents [B, Z] (, labels int [B]) -> images float32 [B, H, W, C], in [-1, 1] once trained."""
        x = latents
        if self.num_classes:
            x = tf.concat([x, tf.cast(self.embed(tf.one_hot(labels, self.num_classes)), x.dtype)], axis=1)
        x = self.project(x)[:, None, None] * tf.cast(self.basis, self.compute_dtype)
        for number, stage in enumerate(self.stages):
            x = doubled(x) if number else x
            for block in stage:
                x = block(x)
        return tf.cast(self.to_pixels(x), tf.float32)


class R3GANDiscriminator(R3GANNetwork):
    """R3GAN's discriminator: the generator the other way round; Phi is each map weighted by a learnt 4x4 basis.

    The score is linear in Phi; with labels it is the product of a linear map of Phi and the label's embedding.

    Args:
        image_size, width, blocks, group: as of the generator.
        num_classes: labels are expected if above 0.
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        num_classes: int = 0,
        *,
        width: int = 768,
        blocks: int = 2,
        group: int = 16,
        seed: int,
        **kwargs,
    ):
        super().__init__(image_size, width, blocks, group, seed, **kwargs)
        self.num_classes = num_classes
        self.feature_shape, self.num_features = (1, 1, width), width
        self.from_pixels = self.pointwise(width)
        self.basis = self.add_weight(name="basis", shape=[4, 4, width], initializer=self.normal(1 / 4))
        self.head = self.pointwise(width if num_classes else 1)
        if num_classes:
            self.embed = self.pointwise(width, 1 / math.sqrt(width))

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] (, labels int [B]) -> score [B], features [B, F]."""
        x = self.from_pixels(tf.cast(images, self.compute_dtype))
        for number, stage in enumerate(self.stages):
            x = halved(x) if number else x
            for block in stage:
                x = block(x)
        features = tf.reduce_sum(x * tf.cast(self.basis, x.dtype), axis=[1, 2])  # [B, F]
        score = self.head(features)
        if self.num_classes:
            score = score * self.embed(tf.one_hot(labels, self.num_classes))
        return DiscriminatorOutput(tf.cast(tf.reduce_sum(score, axis=1), tf.float32), tf.cast(features, tf.float32))


def doubled(x: tf.Tensor) -> tf.Tensor:
    """[B, h, w, M] -> [B, 2h, 2w, M], each axis by the filter [1, 3, 3, 1] / 4, zeros outside."""
    for axis in (1, 2):
        before, after = _moved(x, axis)
        pairs = tf.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=axis + 1)
        x = tf.reshape(pairs, [-1, *(2 * n if place == axis else n for place, n in enumerate(x.shape) if place)])
    return x


def halved(x: tf.Tensor) -> tf.Tensor:
    """[B, 2h, 2w, M] -> [B, h, w, M], each axis by the filter [1, 3, 3, 1] / 8, zeros outside."""
    for axis in (1, 2):
        even, odd = (x[(slice(None),) * axis + (slice(first, None, 2),)] for first in (0, 1))
        x = 0.375 * (even + odd) + 0.125 * (_moved(odd, axis)[0] + _moved(even, axis)[1])
    return x


def _moved(x: tf.Tensor, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
    """What is before and after each place of an axis, zeros outside."""
    side = x.shape[axis]
    padded = tf.pad(x, [[int(place == axis)] * 2 for place in range(4)])
    return tuple(tf.gather(padded, tf.range(first, first + side), axis=axis) for first in (0, 2))
