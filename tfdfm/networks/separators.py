"""F of the thesis: activations of an inner layer to a score."""

import tensorflow as tf

from tfdfm.networks.layers import BatchStatistics, Network


class Thesis(Network):
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

    def call(self, activations, statistics: BatchStatistics | None = None):
        """float [B, h, w, maps] -> float32 [B]."""
        x = tf.nn.leaky_relu(self.norm_layer(self.conv_layer(activations), statistics=statistics), 0.2)
        score = self.head(tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]]))
        return tf.cast(tf.reshape(score, [-1]), tf.float32)
