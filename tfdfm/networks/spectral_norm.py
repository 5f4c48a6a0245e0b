"""Spectral normalisation (Miyato et al., ICLR 2018): a layer's matrix divided by its largest singular value."""

import keras
import tensorflow as tf

from tfdfm.networks.layers import BatchStatistics

EPSILON = 1e-12  # of the norms in the power iteration


class SpectrallyNormalised(keras.layers.Layer):
    """Mixed into a layer with a kernel: it computes with W / sigma, sigma = u^T W v by one power iteration (eq. 9).

    The kernel is seen as [outputs, everything else] (section 2.2). u starts from N(0, 1), by the layer's seed, and
    moves where the statistics of the pass are kept (`BatchStatistics.keep`), once an update, whatever the batch; it is
    saved with the network. No gradient flows through u and v (eq. 12). All of it is float32.
    """

    def __init__(self, *args, seed: int, **kwargs):
        super().__init__(*args, autocast=False, **kwargs)  # the kernel stays float32 until it is normalised
        self._seed = seed

    def build(self, shape: tuple[int, ...]) -> None:
        super().build(shape)
        self.u = self.add_weight(
            name="u",
            shape=[self.kernel.shape[-1]],
            initializer=keras.initializers.RandomNormal(0.0, 1.0, seed=self._seed),
            trainable=False,
            dtype="float32",
            autocast=False,
            aggregation="only_first_replica",
        )

    def normalised(self, statistics: BatchStatistics | None) -> tf.Tensor:
        """The kernel / sigma, in the layer's compute dtype."""
        kernel = tf.convert_to_tensor(self.kernel.value)
        matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])  # [everything else, outputs]
        fixed = tf.stop_gradient(matrix)
        v = _unit(tf.linalg.matvec(fixed, self.u.value))
        u = _unit(tf.linalg.matvec(fixed, v, transpose_a=True))
        if statistics is not None:
            statistics.keep(self.u, u)
        sigma = tf.tensordot(v, tf.linalg.matvec(matrix, u), 1)
        return tf.cast(kernel / sigma, self.compute_dtype)

    def _biased(self, outputs: tf.Tensor) -> tf.Tensor:
        return outputs + tf.cast(self.bias, outputs.dtype) if self.use_bias else outputs


class SpectralConv(SpectrallyNormalised, keras.layers.Conv2D):
    """A spectrally normalised convolution."""

    def call(self, inputs: tf.Tensor, statistics: BatchStatistics | None = None) -> tf.Tensor:
        outputs = self.convolution_op(tf.cast(inputs, self.compute_dtype), self.normalised(statistics))
        return self._biased(outputs)


class SpectralDense(SpectrallyNormalised, keras.layers.Dense):
    """A spectrally normalised linear layer; of one-hot labels, an embedding."""

    def call(self, inputs: tf.Tensor, statistics: BatchStatistics | None = None) -> tf.Tensor:
        outputs = tf.linalg.matmul(tf.cast(inputs, self.compute_dtype), self.normalised(statistics))
        return self._biased(outputs)


def _unit(x: tf.Tensor) -> tf.Tensor:
    return x / tf.maximum(tf.norm(x), EPSILON)
