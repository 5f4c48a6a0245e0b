"""The networks of "Improved techniques for training GANs" (Salimans et al., 2016), from their code."""

import math

import keras
import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.improved_gan_layers import MinibatchDiscrimination, VirtualBatchNorm, WeightNorm
from tfdfm.networks.layers import BatchStatistics, Network, Unlabelled, unit
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.random import Noise

LEAK = 0.2


GAIN = math.sqrt(2 / (1 + LEAK**2))  # keeps the variance through a leaky ReLU


class ImprovedGANGenerator(Unlabelled):
    """Their CIFAR-10 generator: linear to 4x4x4n, 5x5 transposed convolutions of stride 2 to 2n, n and the image.

    Batch norm without gain and ReLU, weight norm and tanh last. With `reference` latents, drawn once by the seed,
    batch norm is virtual: they pass through the network with every batch, in training and in service.

    Args:
        image_size: pixels a side.
        channels: 1 or 3.
        width: n, the maps before the image (their code: 128).
        reference: latents of virtual batch norm (section 3.4); 0: plain batch norm.
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        num_classes: int = 0,
        *,
        width: int = 128,
        reference: int = 0,
        seed: int,
        **kwargs,
    ):
        super().__init__(num_classes, seed, **kwargs)
        self.reference = reference
        self.base, _ = shapes.stages(image_size)
        inner = shapes.widths(image_size, width)[::-1]  # widest first
        self.project = self.dense(self.base**2 * inner[0])
        self.convs = [self.transposed_conv(n, 5, 2) for n in inner[1:]]
        self.norms = [self._norm() for _ in inner]
        how = {"gain": 0.3, "trained": True, "transposed": True, "dtype": self.dtype_policy}
        self.last = WeightNorm(channels, 5, 2, seed=self.next_seed(), **how)

    def build(self, shape: tuple[int, ...]) -> None:
        start = keras.initializers.RandomUniform(-1.0, 1.0, seed=self.next_seed())
        if self.reference:
            self.chosen = self.add_weight(
                name="reference", shape=[self.reference, shape[-1]], initializer=start, trainable=False, autocast=False
            )

    def _norm(self) -> keras.layers.Layer:
        if self.reference:
            return VirtualBatchNorm(self.reference, dtype=self.dtype_policy)
        return self.norm(gain=False)

    def initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(0.0, 0.05, seed=self.next_seed())

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> tf.Tensor:
        """latents [B, Z] -> images float32 [B, H, W, C] in [-1, 1]."""
        x = tf.concat([tf.cast(self.chosen, latents.dtype), latents], axis=0) if self.reference else latents
        how = {} if self.reference else {"statistics": statistics}
        first, *norms = self.norms
        x = keras.ops.relu(first(self.project(x), **how))
        x = tf.reshape(x, [-1, self.base, self.base, x.shape[-1] // self.base**2])
        for norm, conv in zip(norms, self.convs, strict=True):
            x = keras.ops.relu(norm(conv(x), **how))
        return tf.tanh(tf.cast(self.last(x[self.reference :]), tf.float32))


class ImprovedGANFullyConnectedGenerator(Unlabelled):
    """Their MNIST generator: 500-500 softplus with batch norm without gain, then a sigmoid with weight norm.

    Pixels in [0, 1] are taken to [-1, 1] last.

    Args:
        image_size: pixels a side.
        channels: 1 or 3.
        width: units of both hidden layers.
        seed: of the initial weights.
    """

    convolutional = False

    def __init__(self, image_size: int, channels: int, num_classes: int = 0, *, width: int = 500, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        self.image_shape = (image_size, image_size, channels)
        self.hidden = [self.dense(width) for _ in range(2)]
        self.norms = [self.norm(gain=False) for _ in range(2)]
        how = {"gain": 1.0, "trained": True, "dtype": self.dtype_policy}
        self.last = WeightNorm(image_size**2 * channels, seed=self.next_seed(), **how)

    def initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=self.next_seed())

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> tf.Tensor:
        """latents [B, Z] -> images float32 [B, H, W, C] in [-1, 1]."""
        x = latents
        for dense, norm in zip(self.hidden, self.norms, strict=True):
            x = tf.nn.softplus(norm(dense(x), statistics=statistics))
        x = tf.sigmoid(tf.cast(self.last(x), tf.float32))
        return tf.reshape(x * 2.0 - 1.0, [-1, *self.image_shape])


class ImprovedGANDiscriminator(Unlabelled):
    """Their CIFAR-10 discriminator with minibatch discrimination, for samples: one logit.

    3x3 convolutions with weight norm and leaky ReLU of slope 0.2: n, n, n stride 2, 2n, 2n, 2n stride 2, 2n valid,
    1x1 2n twice; dropout of 0.5 before the 4th and the 7th, noise of 0.2 at the input. The features Phi are the last
    ones' means over positions: 2n of them, which have no ReLU. The score couples the examples of a replica's batch.

    Args:
        image_size: pixels a side.
        width: n (their code: 96).
        kernels: of minibatch discrimination.
        seed: of the initial weights.
    """

    def __init__(
        self, image_size: int, num_classes: int = 0, *, width: int = 96, kernels: int = 100, seed: int, **kwargs
    ):
        super().__init__(num_classes, seed, **kwargs)
        self.num_features, self.feature_shape = 2 * width, (1, 1, 2 * width)
        self.convs = convolutions(self, width)
        self.neighbours = MinibatchDiscrimination(self.next_seed(), kernels, dtype=self.dtype_policy)
        self.head = last(self, 1, gain=0.2)

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] -> score [B] and features [B, F]."""
        features = pooled(self.convs, noise.gaussian(images, 0.2) if noise else images, noise)
        score = self.head(self.neighbours(features))
        return DiscriminatorOutput(tf.cast(score[:, 0], tf.float32), tf.cast(features, tf.float32))


class ImprovedGANClassifierDiscriminator(Network):
    """Their CIFAR-10 classifier of K classes: as `ImprovedGANDiscriminator`, without neighbours.

    Dropout of 0.2 at the input. The score is log sum exp of the K logits: a sample's is that of a class K + 1 whose
    logit is 0 (section 5).

    Args:
        image_size: pixels a side.
        num_classes: of the data.
        width: n (their code: 96).
        seed: of the initial weights.
    """

    classifies = True

    def __init__(self, image_size: int, num_classes: int, *, width: int = 96, seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        self.num_features, self.feature_shape = 2 * width, (1, 1, 2 * width)
        self.convs, self.head = convolutions(self, width), last(self, num_classes, gain=0.5)

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] -> score [B], features [B, F] and class logits [B, K]."""
        features = pooled(self.convs, noise.dropout(images, 0.2) if noise else images, noise)
        return of_classes(self.head(features), features)


class ImprovedGANFullyConnectedDiscriminator(Network):
    """Their MNIST classifier of K classes: 1000-500-250-250-250-K, weight norm, ReLU.

    Noise of 0.3 at the input, whose pixels are taken to [0, 1] first, and of 0.5 before every other layer. The
    features Phi are those of the last hidden layer; the score is `ImprovedGANClassifierDiscriminator`'s.

    Args:
        image_size: pixels a side.
        num_classes: of the data.
        width: units of the first layer; the others have 1/2, 1/4, 1/4, 1/4 of it.
        seed: of the initial weights.
    """

    convolutional = False
    classifies = True

    def __init__(self, image_size: int, num_classes: int, *, width: int = 1000, seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        sizes = shapes.narrowing(width)
        self.num_features, self.feature_shape = sizes[-1], (1, 1, sizes[-1])
        how = {"deviation": 0.1, "dtype": self.dtype_policy}
        self.hidden = [WeightNorm(units, gain=math.sqrt(2), seed=self.next_seed(), **how) for units in sizes]
        self.head = last(self, num_classes, gain=1.3, deviation=0.1)

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] -> score [B], features [B, F] and class logits [B, K]."""
        x = tf.reshape(unit(images), [-1, math.prod(images.shape[1:])])
        for place, dense in enumerate(self.hidden):
            x = tf.nn.relu(dense(noise.gaussian(x, 0.5 if place else 0.3) if noise else x))
        return of_classes(self.head(noise.gaussian(x, 0.5) if noise else x), x)


def convolutions(network: Network, n: int) -> list[WeightNorm]:
    plan = [(n, 3, 1), (n, 3, 1), (n, 3, 2), (2 * n, 3, 1), (2 * n, 3, 1), (2 * n, 3, 2)]
    plan += [(2 * n, 3, 1, "VALID"), (2 * n, 1, 1), (2 * n, 1, 1)]
    how = {"gain": GAIN, "dtype": network.dtype_policy}
    return [WeightNorm(*step, seed=network.next_seed(), **how) for step in plan]


def pooled(convs: list[WeightNorm], x: tf.Tensor, noise: Noise | None) -> tf.Tensor:
    """[B, H, W, C] -> [B, 2n]"""
    for place, conv in enumerate(convs):
        if noise and place in (3, 6):
            x = noise.dropout(x, 0.5)
        x = tf.nn.leaky_relu(conv(x), LEAK)
    return tf.reduce_mean(x, axis=[1, 2])


def last(network: Network, units: int, gain: float, **how: float) -> WeightNorm:
    """The logits. `gain` gives them, on real data and with D's noise, the deviation that their first batch sets."""
    seed, dtype = network.next_seed(), network.dtype_policy
    return WeightNorm(units, gain=gain, trained=True, seed=seed, dtype=dtype, **how)


def of_classes(logits: tf.Tensor, features: tf.Tensor) -> DiscriminatorOutput:
    logits = tf.cast(logits, tf.float32)
    return DiscriminatorOutput(tf.reduce_logsumexp(logits, axis=1), tf.cast(features, tf.float32), logits)
