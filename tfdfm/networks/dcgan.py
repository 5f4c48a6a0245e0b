"""The networks of DCGAN (Radford, Metz & Chintala, ICLR 2016)."""

import math
from collections.abc import Callable

import keras
import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.layers import BatchStatistics, Network, keep, with_labels
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.random import Noise


class DCGANGenerator(Network):
    """Radford et al.'s generator (DCGAN, ICLR 2016): the 32-pixel ImageNet form below 64 pixels, else the 64-pixel one.

    For 32 pixels and width n: linear to 4x4x4n, transposed convolutions 3x3: 4n stride 2, 2n, 2n stride 2, n, n
    stride 2, image. For 64 pixels: linear to 4x4x8n, transposed convolutions 5x5 stride 2: 4n, 2n, n, image. Other
    sizes have more or fewer of these stages (16: two, 96 and 128: four and five, no wider than 8n); 48 and 96 pixels
    start at 6x6. Batch norm and ReLU after all but the last (of the linear layer's units, not its maps, as in their
    code), tanh last, no biases anywhere.

    Args:
        image_size: pixels a side.
        channels: 1 or 3.
        num_classes: labels are expected and concatenated at every layer if above 0.
        plan: as `_plan` gives it, where it is not Radford et al.'s.
        width: n, the maps of the layer before the image (Radford: 128).
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        num_classes: int = 0,
        plan: tuple | None = None,
        *,
        width: int = 128,
        seed: int,
        **kwargs,
    ):
        super().__init__(seed, **kwargs)
        self.num_classes = num_classes
        self.base, widest, (*hidden, last) = plan or self._plan(image_size, channels, width)
        self.project = self.dense(self.base**2 * widest)
        self.convs = [self.transposed_conv(*step) for step in hidden]
        self.project_norm = self.norm()
        self.norms = [self.norm() for _ in hidden]
        self.last = self.transposed_conv(*last)

    def _plan(self, image_size: int, channels: int, width: int) -> tuple[int, int, list[tuple[int, int, int]]]:
        """(side, maps of the linear layer, (maps, kernel, stride) of each transposed convolution)."""
        inner = shapes.widths(image_size, width)[::-1]  # widest first
        if shapes.paired(image_size):
            plan = [step for i, n in enumerate(inner) for step in ((n, 3, 2), ((inner + [channels])[i + 1], 3, 1))]
        else:
            plan = [(n, 5, 2) for n in [*inner[1:], channels]]
        return shapes.stages(image_size)[0], inner[0], plan

    def activations(
        self,
        latents: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        alter: Callable[[int, tf.Tensor], tf.Tensor] = lambda place, maps: maps,
    ) -> list[tf.Tensor]:
        """What each layer but the last says, after batch norm and before its ReLU: [B, h, w, maps].

        `alter` gives what stands for the maps of the layer of that place, from 0, and what the next layers see.
        """
        one_hot = self._one_hot(labels)
        x = self.project_norm(self.project(with_labels(latents, one_hot)), statistics=statistics)
        maps = [alter(0, tf.reshape(x, [-1, self.base, self.base, x.shape[-1] // self.base**2]))]
        for place, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True), 1):
            x = norm(conv(with_labels(keras.ops.relu(maps[-1]), one_hot)), statistics=statistics)
            maps.append(alter(place, x))
        return maps

    def image(self, maps: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """The last of `activations` -> images float32 [B, H, W, C] in [-1, 1]."""
        x = with_labels(keras.ops.relu(maps), self._one_hot(labels))
        return tf.tanh(tf.cast(self.last(x), tf.float32))

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> tf.Tensor:
        """latents [B, Z] (, labels int [B]) -> images float32 [B, H, W, C] in [-1, 1]."""
        return self.image(self.activations(latents, labels, statistics)[-1], labels)

    def _one_hot(self, labels):
        return tf.one_hot(labels, self.num_classes) if self.num_classes else None


class DCGANDiscriminator(Network):
    """Radford et al.'s discriminator: the 32-pixel ImageNet form below 64 pixels, else the 64-pixel one.

    For 32 pixels and width n: convolutions 3x3: n, n stride 2, 2n, 2n stride 2, 4n, 4n stride 2, flattened to 4x4x4n
    features, linear. For 64 pixels: 5x5 stride 2: n, 2n, 4n, 8n. Batch norm after all but the first, leaky ReLU of
    slope 0.2, no biases anywhere. The last nonlinearity is a ReLU, not a leaky one, so that the features are the Phi
    of denoising feature matching (section 5); the recipes without it keep the ReLU, to differ in nothing else.

    Args:
        image_size: pixels a side.
        num_classes: labels are expected and concatenated at every layer if above 0.
        plan: as `_plan` gives it, where it is not Radford et al.'s.
        width: n, the maps of the first layer (Radford: 128).
        batch_norm: biases take its place in a critic that must not have it.
        projection: labels are projected on Phi instead: y^T V Phi is added to the score (Miyato & Koyama, ICLR 2018,
            eq. 3).
        class_logits: Phi tells classes, too, by a linear layer of its own, without seeing labels if they are projected.
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        num_classes: int = 0,
        plan: tuple | None = None,
        *,
        width: int = 128,
        batch_norm: bool = True,
        projection: bool = False,
        class_logits: bool = False,
        seed: int,
        **kwargs,
    ):
        super().__init__(seed, **kwargs)
        self.num_classes = num_classes
        base, plan = plan or self._plan(image_size, width)
        self.feature_shape = (base, base, plan[-1][0])
        self.num_features = math.prod(self.feature_shape)
        self.convs = [self.conv(*step, use_bias=not batch_norm) for step in plan]
        self.norms = [self.norm() if batch_norm else keep for _ in plan[1:]]
        self.head = self.dense(1)
        self.embed = self.dense(self.num_features) if projection and num_classes else None
        self.classes = self.dense(num_classes, use_bias=True) if class_logits and num_classes else None

    def _plan(self, image_size: int, width: int) -> tuple[int, list[tuple[int, int, int]]]:
        """(side of the features' maps, (maps, kernel, stride) of each convolution)."""
        widths = shapes.widths(image_size, width)
        if shapes.paired(image_size):
            plan = [step for n in widths for step in ((n, 3, 1), (n, 3, 2))]
        else:
            plan = [(n, 5, 2) for n in widths]
        return shapes.stages(image_size)[0], plan

    def normalised(
        self, images: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> list[tf.Tensor]:
        """What each convolution says, after batch norm and before its nonlinearity: [B, h, w, maps]."""
        one_hot = self._concatenated(labels)
        maps = [self.convs[0](with_labels(images, one_hot))]
        for norm, conv in zip(self.norms, self.convs[1:], strict=True):
            maps.append(norm(conv(with_labels(tf.nn.leaky_relu(maps[-1], 0.2), one_hot)), statistics=statistics))
        return maps

    def activations(
        self, images: tf.Tensor, labels: tf.Tensor | None = None, statistics: BatchStatistics | None = None
    ) -> list[tf.Tensor]:
        """The same after the nonlinearity; the last one is Phi's."""
        return _activated(self.normalised(images, labels, statistics))

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] (, labels int [B]) -> score [B], features [B, F] after the ReLU, all maps."""
        maps = self.normalised(images, labels, statistics)
        activated = _activated(maps)
        features = tf.reshape(activated[-1], [-1, self.num_features])  # [B, F]
        score = self.head(with_labels(features, self._concatenated(labels)))  # [B, 1]
        if self.embed:
            projected = self.embed(tf.one_hot(labels, self.num_classes, dtype=features.dtype)) * features
            score += tf.reduce_sum(projected, axis=1, keepdims=True)
        return DiscriminatorOutput(
            tf.cast(tf.reshape(score, [-1]), tf.float32),
            tf.cast(features, tf.float32),
            class_logits=tf.cast(self.classes(features), tf.float32) if self.classes else None,
            normalised=tuple(tf.cast(x, tf.float32) for x in maps),
            activations=tuple(tf.cast(x, tf.float32) for x in activated),
        )

    def _concatenated(self, labels):
        return tf.one_hot(labels, self.num_classes) if self.num_classes and not self.embed else None


def _activated(maps: list[tf.Tensor]) -> list[tf.Tensor]:
    *inner, last = maps
    return [*(tf.nn.leaky_relu(x, 0.2) for x in inner), keras.ops.relu(last)]
