"""Discriminators: images to a score, and the features Phi."""

import math

import keras
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks import shapes
from tfdfm.networks.critique import Critique
from tfdfm.networks.layers import BatchStatistics, Network, Unlabelled, with_labels
from tfdfm.random import Noise


class Radford(Network):
    """Radford et al.'s discriminator: the 32-pixel ImageNet form below 64 pixels, else the 64-pixel one.

    For 32 pixels and width n: convolutions 3x3: n, n stride 2, 2n, 2n stride 2, 4n, 4n stride 2, flattened to 4x4x4n
    features, linear. For 64 pixels: 5x5 stride 2: n, 2n, 4n, 8n. Batch norm after all but the first, leaky ReLU of
    slope 0.2, no biases anywhere. The last nonlinearity is a ReLU, not a leaky one, so that the features are the Phi
    of denoising feature matching (section 5); the recipes without it keep the ReLU, to differ in nothing else.

    Args:
        image_size: pixels a side.
        num_classes: labels are expected and concatenated at every layer if above 0.
        width: n, the maps of the first layer (Radford: 128).
        batch_norm: biases take its place in a critic that must not have it.
        seed: of the initial weights.
    """

    def __init__(
        self, image_size: int, num_classes: int = 0, *, width: int = 128, batch_norm: bool = True, seed: int, **kwargs
    ):
        super().__init__(seed, **kwargs)
        self.num_classes = num_classes
        base, plan = self._plan(image_size, width)
        self.feature_shape = (base, base, plan[-1][0])
        self.num_features = math.prod(self.feature_shape)
        self.convs = [self.conv(*step, use_bias=not batch_norm) for step in plan]
        self.norms = [self.norm() if batch_norm else keep for _ in plan[1:]]
        self.head = self.dense(1)

    def _plan(self, image_size: int, width: int) -> tuple[int, list[tuple[int, int, int]]]:
        """(side of the features' maps, (maps, kernel, stride) of each convolution)."""
        widths = shapes.widths(image_size, width)
        if shapes.paired(image_size):
            plan = [step for n in widths for step in ((n, 3, 1), (n, 3, 2))]
        else:
            plan = [(n, 5, 2) for n in widths]
        return shapes.stages(image_size)[0], plan

    def normalised(self, images, labels=None, statistics: BatchStatistics | None = None) -> list[tf.Tensor]:
        """What each convolution says, after batch norm and before its nonlinearity: [B, h, w, maps]."""
        one_hot = self._one_hot(labels)
        maps = [self.convs[0](with_labels(images, one_hot))]
        for norm, conv in zip(self.norms, self.convs[1:], strict=True):
            maps.append(norm(conv(with_labels(tf.nn.leaky_relu(maps[-1], 0.2), one_hot)), statistics=statistics))
        return maps

    def activations(self, images, labels=None, statistics: BatchStatistics | None = None) -> list[tf.Tensor]:
        """The same after the nonlinearity; the last one is Phi's."""
        *maps, last = self.normalised(images, labels, statistics)
        return [*(tf.nn.leaky_relu(x, 0.2) for x in maps), keras.ops.relu(last)]

    def call(
        self, images, labels=None, statistics: BatchStatistics | None = None, noise: Noise | None = None
    ) -> Critique:
        """images [B, H, W, C] in [-1, 1] (, labels int [B]) -> score [B] and features [B, F] after the ReLU."""
        return self._critique(self.normalised(images, labels, statistics), labels)

    def _critique(self, maps: list[tf.Tensor], labels) -> Critique:
        features = tf.reshape(keras.ops.relu(maps[-1]), [-1, self.num_features])  # [B, F]
        score = self.head(with_labels(features, self._one_hot(labels)))  # [B, 1]
        return Critique(tf.cast(tf.reshape(score, [-1]), tf.float32), tf.cast(features, tf.float32))

    def _one_hot(self, labels):
        return tf.one_hot(labels, self.num_classes) if self.num_classes else None


class Odena(Network):
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
        self, images, labels=None, statistics: BatchStatistics | None = None, noise: Noise | None = None
    ) -> Critique:
        """images [B, H, W, C] in [-1, 1] -> score [B], features [B, F] after a ReLU, class_logits [B, C]."""
        x = images
        for conv, norm in zip(self.convs, self.norms, strict=True):
            maps = norm(conv(x), statistics=statistics)
            x = self._disturbed(tf.nn.leaky_relu(maps, 0.2), noise)
        features = tf.reshape(keras.ops.relu(maps), [-1, self.num_features])
        said = tf.cast(self.head(tf.reshape(x, [-1, self.num_features])), tf.float32)  # [B, 1 + C]
        return Critique(said[:, 0], tf.cast(features, tf.float32), said[:, 1:])

    def _disturbed(self, x, noise: Noise | None):
        if noise is None:
            return x
        x = noise.dropout(x, 0.5)
        return noise.gaussian(x, self.noise) if self.noise else x


class FullyConnected(Unlabelled):
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

    def __init__(self, image_size: int, num_classes=0, *, depth=2, width=1024, dropout=0.0, seed: int, **kwargs):
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

    def build(self, shape):
        self.last = self.dense(1, use_bias=True)

    def initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(0.0, 0.002, seed=self.next_seed())

    def encode(self, images, statistics: BatchStatistics | None, noise: Noise | None):
        """images [B, H, W, C] -> features [B, F], and what the last layer is to see of them."""

        def dropped(x):
            return noise.dropout(x, self.dropout) if noise and self.dropout else x

        x = keras.ops.relu(self.first(tf.reshape(images, [-1, math.prod(images.shape[1:])])))
        for dense, norm in zip(self.hidden, self.norms, strict=True):
            x = keras.ops.relu(norm(dense(dropped(x)), statistics=statistics))
        return x, dropped(x)

    def call(
        self, images, labels=None, statistics: BatchStatistics | None = None, noise: Noise | None = None
    ) -> Critique:
        """images [B, H, W, C] in [-1, 1] -> score [B], features [B, F]."""
        features, x = self.encode(images, statistics, noise)
        return Critique(tf.cast(tf.reshape(self.last(x), [-1]), tf.float32), tf.cast(features, tf.float32))


def keep(x, statistics: BatchStatistics | None = None):
    """In the place of a batch norm: nothing."""
    return x
