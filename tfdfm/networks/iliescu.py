"""The networks of the thesis (Iliescu, 2018): generator, discriminator, encoder, separator.

Figure 15 compares depths of 3, 4 and 5; 4 is that of all its other experiments.
"""

import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from tfdfm.networks.layers import BatchStatistics, Network, Unlabelled, keep


class IliescuGenerator(DCGANGenerator):
    """The thesis's generator (Iliescu, 2018, sections 3.1 and 3.4): the inverse of its discriminator.

    Linear to 2x2x8n for 32 pixels, transposed 4x4 convolutions of stride 2: 4n, 2n, n, image. All else is as in
    `DCGANGenerator`: batch norm and ReLU after all but the last, tanh last, no biases. A depth of 3 starts at 4x4x4n,
    one of 5 at 1x1x16n.

    Args:
        image_size: pixels a side, a multiple of 2^depth.
        channels: 1 or 3.
        num_classes: labels are expected and concatenated at every layer if above 0.
        width: n, the maps of the layer before the image (thesis: 64).
        depth: transposed convolutions.
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        num_classes: int = 0,
        *,
        width: int = 64,
        depth: int = 4,
        seed: int,
        **kwargs,
    ):
        base, (widest, *inner) = shapes.halved(image_size, depth), _maps(width, depth)[::-1]
        plan = base, widest, [(n, 4, 2) for n in (*inner, channels)]
        super().__init__(image_size, channels, num_classes, plan, width=width, seed=seed, **kwargs)


class IliescuDiscriminator(DCGANDiscriminator):
    """Four 4x4 convolutions of stride 2 with n, 2n, 4n, 8n maps, then linear (Iliescu, 2018, sections 3.1 and 3.4).

    All else is as in `DCGANDiscriminator`: batch norm after all but the first, leaky ReLU, a ReLU last. A depth of 3
    ends with 4n maps, one of 5 with 16n.

    Args:
        image_size: pixels a side, a multiple of 2^depth.
        num_classes: labels are expected and concatenated at every layer if above 0.
        width: n (thesis: 64).
        depth: convolutions.
        batch_norm: biases take its place in a critic that must not have it.
        projection: labels are projected on Phi instead, as in `DCGANDiscriminator`.
        class_logits: Phi tells classes, too, as there.
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        num_classes: int = 0,
        *,
        width: int = 64,
        depth: int = 4,
        batch_norm: bool = True,
        projection: bool = False,
        class_logits: bool = False,
        seed: int,
        **kwargs,
    ):
        plan = shapes.halved(image_size, depth), [(n, 4, 2) for n in _maps(width, depth)]
        kwargs |= dict(width=width, batch_norm=batch_norm, projection=projection, class_logits=class_logits, seed=seed)
        super().__init__(image_size, num_classes, plan, **kwargs)


class IliescuEncoder(Unlabelled):
    """The convolutions of the thesis's discriminator (Iliescu, 2018, section 3.4), then linear to mean and log sigma.

    Args:
        image_size: pixels a side, a multiple of 2^depth.
        latent_size: Z.
        width: n, the maps of the first layer (thesis: 64).
        depth: convolutions.
        seed: of the initial weights.
    """

    def __init__(
        self,
        image_size: int,
        latent_size: int,
        num_classes: int = 0,
        *,
        width: int = 64,
        depth: int = 4,
        seed: int,
        **kwargs,
    ):
        super().__init__(num_classes, seed, **kwargs)
        maps = _maps(width, depth)
        self.units = shapes.halved(image_size, depth) ** 2 * maps[-1]
        self.convs = [self.conv(n, 4, 2) for n in maps]
        self.norms = [keep, *(self.norm() for _ in self.convs[1:])]
        self.head = self.dense(2 * latent_size, use_bias=True)

    def activations(self, images: tf.Tensor, statistics: BatchStatistics | None = None) -> list[tf.Tensor]:
        """What each convolution says, after the nonlinearity: [B, h, w, maps]."""
        maps = [images]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            maps.append(tf.nn.leaky_relu(norm(conv(maps[-1]), statistics=statistics), 0.2))
        return maps[1:]

    def call(self, images: tf.Tensor, statistics: BatchStatistics | None = None) -> list[tf.Tensor]:
        """images [B, H, W, C] in [-1, 1] -> float32 mean [B, Z], log sigma [B, Z]."""
        x = tf.reshape(self.activations(images, statistics)[-1], [-1, self.units])
        return tf.split(tf.cast(self.head(x), tf.float32), 2, axis=1)


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


def _maps(width: int, depth: int) -> list[int]:
    """Of each layer of D, from the image inwards; G has the same from the image."""
    return [width * 2**place for place in range(depth)]
