"""The networks of SNGAN (Miyato et al., ICLR 2018) and of the projection discriminator (Miyato & Koyama, ICLR 2018).

Residual ones by their Chainer code and mimicry (Lee & Town, 2020), and the plain convolutional ones.
"""

import itertools

import keras
import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.layers import BatchNorm, BatchStatistics, Network
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.networks.spectral_norm import SpectralConv, SpectralDense
from tfdfm.random import Noise


class SpectralNetwork(Network):
    """A network whose layers may be spectrally normalised; weights as Glorot & Bengio's, uniform."""

    def glorot(self, scale: float = 1.0) -> keras.initializers.Initializer:
        return keras.initializers.VarianceScaling(scale, "fan_avg", "uniform", seed=self.next_seed())

    def spectral_conv(self, filters: int, kernel_size: int, strides: int = 1, **kwargs) -> SpectralConv:
        linear = self._linear({"padding": "same", "use_bias": True, **kwargs})
        return SpectralConv(filters, kernel_size, strides, seed=self.next_seed(), **linear)

    def spectral_dense(self, units: int, **kwargs) -> SpectralDense:
        return SpectralDense(units, seed=self.next_seed(), **self._linear({"use_bias": True, **kwargs}))


class ProjectionHead(SpectralNetwork):
    """What SNGAN's discriminators end in: a linear layer on Phi, and the projection of labels on Phi.

    Args:
        num_classes: labels are expected and projected if above 0: y^T V Phi is added to the score (Miyato & Koyama,
            eq. 3), V spectrally normalised too.
        feature_shape: (height, width, maps) of Phi.
        seed: of the initial weights.
    """

    def __init__(self, num_classes: int, feature_shape: tuple[int, int, int], seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        self.num_classes, self.feature_shape = num_classes, feature_shape
        height, width, maps = feature_shape
        self.num_features = height * width * maps
        self.head = self.spectral_dense(1, kernel_initializer=self.glorot())
        if num_classes:
            self.embed = self.spectral_dense(self.num_features, use_bias=False, kernel_initializer=self.glorot())

    def judged(
        self, features: tf.Tensor, labels: tf.Tensor | None, statistics: BatchStatistics | None
    ) -> DiscriminatorOutput:
        """Phi [B, F] (, labels int [B]) -> score [B], features [B, F]."""
        score = self.head(features, statistics=statistics)[:, 0]
        if self.num_classes:
            one_hot = tf.one_hot(labels, self.num_classes, dtype=features.dtype)
            score += tf.reduce_sum(self.embed(one_hot, statistics=statistics) * features, axis=1)
        return DiscriminatorOutput(tf.cast(score, tf.float32), tf.cast(features, tf.float32))


class SNDCGANDiscriminator(ProjectionHead):
    """SNGAN's plain convolutional discriminator (table 3): pairs of 3x3 and 4x4 stride 2, then 3x3, then linear.

    n, 2n stride 2, 2n, 4n stride 2, 4n, 8n stride 2, 8n maps with leaky ReLU of slope 0.1 for 32 pixels; Phi is the
    last, 4x4x8n. Weights N(0, 0.02) with biases, as their code has them. Labels are projected.

    Args:
        image_size: pixels a side.
        num_classes: as of `ProjectionHead`.
        width: n (table 3: 64).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, num_classes: int = 0, *, width: int = 64, seed: int, **kwargs):
        base, times = shapes.stages(image_size)
        maps = [width * min(2**place, 8) for place in range(times + 1)]
        super().__init__(num_classes, (base, base, maps[-1]), seed, **kwargs)
        self.convs = [self.spectral_conv(maps[0], 3)]
        for wide in maps[1:]:
            self.convs += [self.spectral_conv(wide, 4, 2), self.spectral_conv(wide, 3)]

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] (, labels int [B]) -> score [B], features [B, F]."""
        x = tf.cast(images, self.compute_dtype)
        for conv in self.convs:
            x = tf.nn.leaky_relu(conv(x, statistics=statistics), 0.1)
        return self.judged(tf.reshape(x, [-1, self.num_features]), labels, statistics)


class ConditionalBatchNorm(keras.layers.Layer):
    """Batch norm whose gain and bias are the label's (Dumoulin et al., 2017); without classes a plain one."""

    couples_examples = True

    def __init__(self, network: SpectralNetwork, maps: int, num_classes: int):
        super().__init__(dtype=network.dtype_policy)
        self.num_classes = num_classes
        gains = keras.initializers.RandomNormal(1.0, 0.02, seed=network.next_seed())
        plain = num_classes == 0
        self.norm = BatchNorm(network.next_seed(), gain=plain, bias=plain, dtype=network.dtype_policy)
        if num_classes:
            for name, initial in (("gains", gains), ("biases", "zeros")):
                weight = self.add_weight(
                    name=name, shape=[num_classes, maps], initializer=initial, dtype="float32", autocast=False
                )
                setattr(self, name, weight)

    def call(
        self, x: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> tf.Tensor:
        y = self.norm(x, statistics=statistics)
        if not self.num_classes:
            return y
        one_hot = tf.one_hot(labels, self.num_classes)
        gain, bias = (
            tf.cast(tf.linalg.matmul(one_hot, of.value)[:, None, None], y.dtype) for of in (self.gains, self.biases)
        )
        return y * gain + bias


class SNGANGenerator(SpectralNetwork):
    """SNGAN's residual generator: linear to 4x4, a residual block that doubles for each stage, batch norm, 3x3, tanh.

    All blocks have n maps below 48 pixels (table 4), else they halve to n from 16 n at most. Upsampling is nearest,
    the paper's; mimicry's is bilinear. 48 and 96 pixels start at 6x6.

    Args:
        image_size: pixels a side.
        channels: 1 or 3.
        num_classes: the label chooses gain and bias of the blocks' batch norms if above 0.
        width: n (table 4, 32 pixels: 256; 48 and more: 64).
        halving: the maps halve below 48 pixels, too: most weights for the time, as they stand where the maps are small.
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        num_classes: int = 0,
        *,
        width: int = 256,
        halving: bool = False,
        seed: int,
        **kwargs,
    ):
        super().__init__(seed, **kwargs)
        self.num_classes, (self.base, times) = num_classes, shapes.stages(image_size)
        halving = halving or image_size >= 48
        self.maps = [width * (min(2**place, 16) if halving else 1) for place in range(times, -1, -1)]
        self.project = self.dense(self.base**2 * self.maps[0], use_bias=True, kernel_initializer=self.glorot())
        self.blocks = [UpBlock(self, narrow, wide, num_classes) for wide, narrow in itertools.pairwise(self.maps)]
        self.last_norm = self.norm()
        self.last = self.conv(channels, 3, use_bias=True, kernel_initializer=self.glorot())

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> tf.Tensor:
        """latents [B, Z] (, labels int [B]) -> images float32 [B, H, W, C] in [-1, 1]."""
        x = tf.reshape(self.project(latents), [-1, self.base, self.base, self.maps[0]])
        for block in self.blocks:
            x = block(x, labels=labels, statistics=statistics)
        x = keras.ops.relu(self.last_norm(x, statistics=statistics))
        return tf.tanh(tf.cast(self.last(x), tf.float32))


class UpBlock(keras.layers.Layer):
    """Batch norm, ReLU, doubled, 3x3; batch norm, ReLU, 3x3; added to the doubled input through 1x1."""

    def __init__(self, network: SNGANGenerator, narrow: int, wide: int, num_classes: int):
        super().__init__(dtype=network.dtype_policy)
        self.norms = [ConditionalBatchNorm(network, maps, num_classes) for maps in (wide, narrow)]
        self.convs = [network.conv(narrow, 3, use_bias=True, kernel_initializer=network.glorot(2.0)) for _ in range(2)]
        self.shortcut = network.conv(narrow, 1, use_bias=True, kernel_initializer=network.glorot())

    def call(self, x, labels=None, statistics=None):
        y = keras.ops.relu(self.norms[0](x, labels=labels, statistics=statistics))
        y = self.convs[0](_doubled(y))
        y = keras.ops.relu(self.norms[1](y, labels=labels, statistics=statistics))
        return self.convs[1](y) + _doubled(self.shortcut(x))  # 1x1 and doubling commute: a quarter of the work


class SNGANDiscriminator(ProjectionHead):
    """SNGAN's residual discriminator, every layer spectrally normalised; ReLU, sum over places, linear.

    Below 48 pixels four blocks of n maps, the first two halve (table 4); else blocks of n, 2n, 4n, 8n, 16n (, 16n)
    that halve, but for one at the end that keeps 3x3 or 4x4. Phi is the sum over places. Labels are projected on it.

    Args:
        image_size: pixels a side.
        num_classes: as of `ProjectionHead`.
        width: n (table 4, 32 pixels: 128; 48 and more: 64).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, num_classes: int = 0, *, width: int = 128, seed: int, **kwargs):
        times = shapes.stages(image_size)[1]
        large = image_size >= 48
        blocks, halving = (max(5, times + 1), min(5, times + 1)) if large else (4, 2)
        maps = [width * (min(2**place, 16) if large else 1) for place in range(blocks)]
        super().__init__(num_classes, (1, 1, maps[-1]), seed, **kwargs)
        self.blocks, before = [], 0
        for place, wide in enumerate(maps):
            self.blocks.append(DownBlock(self, before, wide, place < halving))
            before = wide

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] (, labels int [B]) -> score [B], features [B, F]."""
        x = tf.cast(images, self.compute_dtype)
        for block in self.blocks:
            x = block(x, statistics=statistics)
        return self.judged(tf.reduce_sum(keras.ops.relu(x), axis=[1, 2]), labels, statistics)


class DownBlock(keras.layers.Layer):
    """ReLU, 3x3, ReLU, 3x3, halved; added to the input through 1x1, halved. The first block has no first ReLU."""

    def __init__(self, network: ProjectionHead, narrow: int, wide: int, halves: bool):
        super().__init__(dtype=network.dtype_policy)
        self.first, self.halves = narrow == 0, halves
        self.convs = [
            network.spectral_conv(maps, 3, kernel_initializer=network.glorot(2.0)) for maps in (narrow or wide, wide)
        ]
        learnt = halves or narrow != wide
        self.shortcut = network.spectral_conv(wide, 1, kernel_initializer=network.glorot()) if learnt else None

    def call(self, x, statistics=None):
        y = x if self.first else keras.ops.relu(x)
        y = self.convs[1](keras.ops.relu(self.convs[0](y, statistics=statistics)), statistics=statistics)
        if self.halves:  # averaging and 1x1 commute: a quarter of the work
            x, y = (tf.nn.avg_pool2d(of, 2, 2, "VALID") for of in (x, y))
        return y + (self.shortcut(x, statistics=statistics) if self.shortcut else x)


def _doubled(x: tf.Tensor) -> tf.Tensor:
    """[B, h, w, M] -> [B, 2h, 2w, M], each pixel four times."""
    return tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
