"""The networks of the thesis (Iliescu, 2018): generator, discriminator, encoder, separator."""

import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from tfdfm.networks.layers import BatchStatistics, Network, Unlabelled, keep
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.random import Noise


class IliescuGenerator(DCGANGenerator):
    """The thesis's generator (Iliescu, 2018, sections 3.1 and 3.4): the inverse of its discriminator.

    Linear to 2x2x8n for 32 pixels, transposed 4x4 convolutions of stride 2: 4n, 2n, n, image. All else is as in
    `DCGANGenerator`: batch norm and ReLU after all but the last, tanh last, no biases.

    Args:
        image_size: pixels a side, a multiple of 16.
        channels: 1 or 3.
        num_classes: labels are expected and concatenated at every layer if above 0.
        width: n, the maps of the layer before the image (thesis: 64).
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, channels: int, num_classes: int = 0, *, width: int = 64, seed: int, **kwargs):
        super().__init__(image_size, channels, num_classes, width=width, seed=seed, **kwargs)

    def _plan(self, image_size: int, channels: int, width: int):
        maps = (4 * width, 2 * width, width, channels)
        return shapes.halved(image_size, 4), 8 * width, [(n, 4, 2) for n in maps]


class IliescuDiscriminator(DCGANDiscriminator):
    """Four 4x4 convolutions of stride 2 with n, 2n, 4n, 8n maps, then linear (Iliescu, 2018, sections 3.1 and 3.4).

    All else is as in `DCGANDiscriminator`: batch norm after all but the first, leaky ReLU, a ReLU last. Shows the
    activations of its third convolution, 4x4x4n of 32 pixels.

    Args:
        image_size: pixels a side, a multiple of 16.
        num_classes: labels are expected and concatenated at every layer if above 0.
        width: n (thesis: 64).
        batch_norm: biases take its place in a critic that must not have it.
        seed: of the initial weights.
    """

    def __init__(self, image_size: int, num_classes: int = 0, *, width: int = 64, batch_norm=True, seed: int, **kwargs):
        super().__init__(image_size, num_classes, width=width, batch_norm=batch_norm, seed=seed, **kwargs)

    def _plan(self, image_size: int, width: int):
        return shapes.halved(image_size, 4), [(width * 2**i, 4, 2) for i in range(4)]

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] (, labels int [B]) -> score [B], features [B, F], activations [B, h, w, M]."""
        maps = self.normalised(images, labels, statistics)
        return self._output(maps, labels)._replace(activations=tf.cast(maps[2], tf.float32))


class IliescuEncoder(Unlabelled):
    """The convolutions of the thesis's discriminator (Iliescu, 2018, section 3.4), then linear to mean and log sigma.

    Args:
        image_size: pixels a side, a multiple of 16.
        latent_size: Z.
        width: n, the maps of the first layer (thesis: 64).
        seed: of the initial weights.
    """

    def __init__(
        self, image_size: int, latent_size: int, num_classes: int = 0, *, width: int = 64, seed: int, **kwargs
    ):
        super().__init__(num_classes, seed, **kwargs)
        self.units = shapes.halved(image_size, 4) ** 2 * width * 8
        self.convs = [self.conv(width * 2**i, 4, 2) for i in range(4)]
        self.norms = [keep, *(self.norm() for _ in self.convs[1:])]
        self.head = self.dense(2 * latent_size, use_bias=True)

    def call(self, images: tf.Tensor, statistics: BatchStatistics | None = None) -> tf.Tensor:
        """images [B, H, W, C] in [-1, 1] -> float32 mean [B, Z], log sigma [B, Z]."""
        x = images
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x), statistics=statistics), 0.2)
        return tf.split(tf.cast(self.head(tf.reshape(x, [-1, self.units])), tf.float32), 2, axis=1)


class IliescuSeparator(Network):
    """Separates the activations of data in D from those of samples in G (Iliescu, 2018, section 5.1).

    The thesis does not say what F is made of. Here it is what D itself has above that layer: a 4x4 convolution of
    stride 2 with batch norm and leaky ReLU of slope 0.2, then linear.

    Args:
        width: maps of the convolution (D's: 512).
        seed: of the initial weights.
    """

    def __init__(self, *, width: int = 512, seed: int, **kwargs):
        super().__init__(seed, **kwargs)
        self.conv_layer, self.norm_layer, self.head = self.conv(width, 4, 2), self.norm(), self.dense(1)

    def call(self, activations: tf.Tensor, statistics: BatchStatistics | None = None) -> list[tf.Tensor]:
        """float [B, h, w, maps] -> float32 [B]."""
        x = tf.nn.leaky_relu(self.norm_layer(self.conv_layer(activations), statistics=statistics), 0.2)
        score = self.head(tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]]))
        return tf.cast(tf.reshape(score, [-1]), tf.float32)
