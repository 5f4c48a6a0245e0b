"""The pull-away term of EBGAN-PT (Zhao, Mathieu & LeCun, ICLR 2017, section 2.4)."""

import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward


class PullAway(Objective):
    """Keeps the features of G's samples from pointing the same way; in an autoencoder they are the encoder's output S.

    It couples the examples of a replica's batch: two replicas give the mean over their halves.

    Args:
        weight: of the term in G's loss (appendix F: 0.1).
    """

    needs = ("features",)

    def __init__(self, weight: float = 0.1):
        super().__init__()
        self.weight = weight

    def generator_loss(self, forward: Forward) -> Losses:
        return {"pull_away": self.weight * mean_squared_cosine(forward.fake.features)}


def mean_squared_cosine(codes: tf.Tensor) -> tf.Tensor:
    """1 / (N (N - 1)) sum_{i != j} (S_i . S_j / (|S_i| |S_j|))^2 (eq. 14), in [0, 1].  [N, F] -> []"""
    units = tf.math.l2_normalize(codes, axis=1)
    squares = tf.square(tf.matmul(units, units, transpose_b=True))  # [N, N]
    n = codes.shape[0]
    if n == 1:
        raise UsageError("The term 'pull_away' compares samples, given one a replica. Set --config.batch_size.")
    return tf.reduce_sum(tf.linalg.set_diag(squares, tf.zeros([n]))) / (n * (n - 1))
