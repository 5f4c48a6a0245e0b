"""The ladder network (Rasmus et al., 2015) as an energy: its reconstruction error at the bottom layer alone."""

import keras
import tensorflow as tf

from tfdfm.networks import shapes
from tfdfm.networks.layers import BatchStatistics, Network, unit
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.random import Noise

NOISE = 0.3  # at the input and at every layer


class LadderDiscriminator(Network):
    """A classifier whose noisy encoder is decoded again, layer by layer, beside lateral connections (ebgan appendix D).

    784-1000-500-250-250-250-10 for 28 pixels, ReLU; each layer is normalised without gain ("without the learned
    parameter gamma but merely with a bias term"), then noise is added. Initial weights N(0, 1 / inputs), as in Rasmus
    et al.'s code. Batch norm's epsilon is the package's 1e-5, theirs 1e-10. Pixels are taken to [0, 1] first. In
    training the class logits are the noisy encoder's; a call without noise classifies and reconstructs by the clean
    one, whose statistics are those kept for the population.

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
        sizes = [*shapes.narrowing(width), num_classes]
        self.num_features, self.feature_shape = sizes[-2], (1, 1, sizes[-2])
        self.encoder = [self.dense(size) for size in sizes]
        self.norms = [self.norm(gain=False) for _ in sizes]
        self.top_norm = self.norm(gain=False, bias=False)
        self.decoder_norms = [self.norm(gain=False, bias=False) for _ in sizes]
        self.laterals = [Lateral(dtype=self.dtype_policy) for _ in range(len(sizes) + 1)]
        self.decoder = [self.dense(size) for size in sizes[-2::-1]]

    def build(self, shape: tuple[int, ...]) -> None:
        self.decoder.append(self.dense(shape[1] * shape[2] * shape[3]))

    def initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal", seed=self.next_seed())

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        statistics: BatchStatistics | None = None,
        noise: Noise | None = None,
    ) -> DiscriminatorOutput:
        """images [B, H, W, C] in [-1, 1] -> energy [B], features [B, F], class logits [B, C], reconstruction."""
        clean = tf.reshape(unit(tf.cast(images, tf.float32)), [-1, self.decoder[-1].units])  # z_0
        units, features, logits = self._encode(clean, statistics, None)
        if noise:
            dropped = BatchStatistics(statistics.synchronised) if statistics else None  # the clean ones are kept
            units, features, logits = self._encode(clean, dropped, noise)
        found = tf.cast(self._decode(units, logits, statistics), tf.float32)
        energy = tf.reduce_sum(tf.square(found - clean), axis=1)  # "a vanilla form of l2 loss"
        reconstruction = tf.reshape(found * 2.0 - 1.0, tf.shape(images))
        return DiscriminatorOutput(energy, tf.cast(features, tf.float32), tf.cast(logits, tf.float32), reconstruction)

    def _encode(self, x, statistics, noise: Noise | None):
        """([z_0, ..., z_6], the last hidden layer after the ReLU, class logits)."""

        def noisy(z):
            return noise.gaussian(z, NOISE) if noise else z

        units, h = [noisy(x)], []
        for dense, norm in zip(self.encoder, self.norms, strict=True):
            units.append(noisy(norm(dense(h[-1] if h else units[0]), statistics=statistics)))
            h.append(keras.ops.relu(units[-1]))
        return units, h[-2], units[-1]

    def _decode(self, units, logits, statistics):
        """The estimate of z_0, from the top: each layer's from its own noisy units and the estimate above."""
        top, *laterals = self.laterals
        estimate = top(units[-1], self.top_norm(tf.nn.softmax(logits), statistics=statistics))
        for z, lateral, dense, norm in zip(units[-2::-1], laterals, self.decoder, self.decoder_norms, strict=True):
            estimate = lateral(z, norm(dense(estimate), statistics=statistics))
        return estimate


class Lateral(keras.layers.Layer):
    """The combinator "gauss": z^ = (z - mu(u)) v(u) + mu(u), mu and v of the form a s(b u + c) + d u + e each."""

    def build(self, z_shape: tuple[int, ...], u_shape: tuple[int, ...]) -> None:
        def weights(name):
            starts = dict(a="zeros", b="ones", c="zeros", d="zeros", e="zeros")
            return [
                self.add_weight(name=f"{name}_{key}", shape=[z_shape[-1]], initializer=start)
                for key, start in starts.items()
            ]

        self.mean, self.slope = weights("mean"), weights("slope")

    def call(self, z: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
        """The layer's noisy units and the normalised projection of what is above, [B, F] each -> [B, F]."""
        mean, slope = (a * tf.sigmoid(b * u + c) + d * u + e for a, b, c, d, e in (self.mean, self.slope))
        return (z - mean) * slope + mean
