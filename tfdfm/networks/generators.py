"""Generators: latents to images."""

import keras
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks import shapes
from tfdfm.networks.layers import BatchStatistics, Elu, Network, Unlabelled, with_labels


class Radford(Network):
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
        width: n, the maps of the layer before the image (Radford: 128).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, channels: int, num_classes: int = 0, *, width: int = 128, seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        self.num_classes = num_classes
        self.base, widest, (*hidden, last) = self._plan(image_size, channels, width)
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

    def activations(self, latents, labels=None, statistics: BatchStatistics | None = None) -> list[tf.Tensor]:
        """What each layer but the last says, after batch norm and before its ReLU: [B, h, w, maps]."""
        one_hot = self._one_hot(labels)
        x = self.project_norm(self.project(with_labels(latents, one_hot)), statistics=statistics)
        maps = [tf.reshape(x, [-1, self.base, self.base, x.shape[-1] // self.base**2])]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            maps.append(norm(conv(with_labels(keras.ops.relu(maps[-1]), one_hot)), statistics=statistics))
        return maps

    def image(self, maps, labels=None):
        """The last of `activations` -> images float32 [B, H, W, C] in [-1, 1]."""
        x = with_labels(keras.ops.relu(maps), self._one_hot(labels))
        return tf.tanh(tf.cast(self.last(x), tf.float32))

    def call(self, latents, labels=None, statistics: BatchStatistics | None = None):
        """latents [B, Z] (, labels int [B]) -> images float32 [B, H, W, C] in [-1, 1]."""
        return self.image(self.activations(latents, labels, statistics)[-1], labels)

    def _one_hot(self, labels):
        return tf.one_hot(labels, self.num_classes) if self.num_classes else None


class Odena(Network):
    """AC-GAN's generator (Odena, Olah & Shlens, 2017, appendix A): the class beside the latents, at the input only.

    For 32 pixels and width n: linear to 4x4x4n with ReLU, transposed convolutions 5x5 stride 2: 2n, n with batch norm
    and ReLU, image with tanh. For 128: linear to 8x8x4n, 2n, 4n/3, n, image. Biases where there is no batch norm.
    The 64-pixel form was not published: that of 128 from 4x4. Up to 48 pixels the side doubles three times, above four.

    Args:
        image_size: pixels a side, a multiple of 8, above 48 of 16.
        channels: 1 or 3.
        num_classes: labels are expected and concatenated to the latents if above 0.
        width: n, the maps of the layer before the image (CIFAR-10: 96, ImageNet: 192).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, channels: int, num_classes: int = 0, *, width: int = 96, seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        self.num_classes = num_classes
        maps = [2 * width, width] if image_size <= 48 else [2 * width, 4 * width // 3, width]
        self.base = shapes.halved(image_size, len(maps) + 1)
        self.project = self.dense(self.base**2 * 4 * width, use_bias=True)
        self.convs = [self.transposed_conv(n, 5, 2) for n in maps]
        self.norms = [self.norm() for _ in maps]
        self.last = self.transposed_conv(channels, 5, 2, use_bias=True)

    def call(self, latents, labels=None, statistics: BatchStatistics | None = None):
        """latents [B, Z] (, labels int [B]) -> images float32 [B, H, W, C] in [-1, 1]."""
        one_hot = tf.one_hot(labels, self.num_classes) if self.num_classes else None
        x = keras.ops.relu(self.project(with_labels(latents, one_hot)))
        x = tf.reshape(x, [-1, self.base, self.base, x.shape[-1] // self.base**2])
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = keras.ops.relu(norm(conv(x), statistics=statistics))
        return tf.tanh(tf.cast(self.last(x), tf.float32))


class FullyConnected(Unlabelled):
    """The generator of EBGAN's grid on MNIST (section 4.1, appendix C): batch norm and ReLU after all but the last.

    Args:
        image_size: pixels a side.
        channels: 1 or 3.
        depth: layers in all (nLayerG).
        width: units of each but the last (sizeG).
        seed: of the initial weights.
    """

    convolutional = False

    def __init__(self, image_size: int, channels: int, num_classes=0, *, depth=5, width=800, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        self.image_shape = (image_size, image_size, channels)
        self.hidden = [self.dense(width) for _ in range(depth - 1)]
        self.norms = [self.norm() for _ in self.hidden]
        self.last = self.dense(image_size**2 * channels, use_bias=True)

    def call(self, latents, labels=None, statistics: BatchStatistics | None = None):
        """latents [B, Z] -> images float32 [B, H, W, C] in [-1, 1]."""
        x = latents
        for dense, norm in zip(self.hidden, self.norms, strict=True):
            x = keras.ops.relu(norm(dense(x), statistics=statistics))
        return tf.reshape(tf.tanh(tf.cast(self.last(x), tf.float32)), [-1, *self.image_shape])


class NoisePlanes(Unlabelled):
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

    def call(self, latents, labels=None, statistics: BatchStatistics | None = None):
        """latents [B, Z] -> images float32 [B, H, W, C] in [-1, 1]."""
        sizes = [side * side * planes for side, planes in self.noise]
        noise = zip(tf.split(latents, sizes, axis=1), self.noise, strict=True)
        noise = [tf.reshape(z, [-1, side, side, planes]) for z, (side, planes) in noise]
        x = noise[0][..., :0]  # no maps yet
        for z, conv, norm in zip(noise, self.convs, self.norms, strict=True):
            x = keras.ops.relu(norm(conv(tf.concat([x, z], axis=-1)), statistics=statistics))
        return tf.tanh(tf.cast(self.last(x), tf.float32))


def noise_shapes(image_size: int) -> list[tuple[int, int]]:
    """(side, planes) of the noise that each layer of `NoisePlanes` takes, latents first.

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


class Began(Elu):
    """BEGAN's generator, which is also the decoder of its discriminator (Berthelot et al., 2017).

    Linear to n maps of 8x8 (12x12 for 48 and 96 pixels), pairs of 3x3 convolutions with ELU, nearest upsampling
    between pairs, no batch norm. Public code ends linearly and clips what it shows; a tanh here, since all that
    follows takes images in [-1, 1].

    Args:
        image_size: pixels a side.
        channels: 1 or 3.
        width: n, the maps of every layer.
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, channels: int, num_classes: int = 0, *, width: int = 128, seed: int, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        base, pairs = shapes.stages(image_size)
        self.maps_shape = (2 * base, 2 * base, width)
        self.project = self.dense(4 * base**2 * width, use_bias=True)
        self.convs = [self.elu_conv(width) for _ in range(2 * pairs)]
        self.last = self.conv(channels, 3, use_bias=True)

    def call(self, latents, labels=None, statistics: BatchStatistics | None = None):
        """latents [B, Z] -> images float32 [B, H, W, C] in [-1, 1]."""
        x = tf.reshape(self.project(latents), [-1, *self.maps_shape])
        for place, conv in enumerate(self.convs):
            if place and place % 2 == 0:
                x = keras.ops.repeat(keras.ops.repeat(x, 2, axis=1), 2, axis=2)
            x = conv(x)
        return tf.tanh(tf.cast(self.last(x), tf.float32))
