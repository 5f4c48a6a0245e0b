"""Feature matching (Salimans et al., 2016; dfm eq. 10), added to a game's own loss for G."""

import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward

DISTANCES = {
    "norm": lambda x: tf.sqrt(tf.reduce_sum(tf.square(x)) + 1e-12),  # thesis, eq. 19; its gradient is finite at 0
    "squared": lambda x: tf.reduce_mean(tf.square(x)),  # dfm, eq. 10; MNIST in Salimans et al.'s code
    "absolute": lambda x: tf.reduce_mean(tf.abs(x)),  # CIFAR-10 in Salimans et al.'s code
}


class FeatureMatching(Objective):
    """G's samples are to have the mean features of data: a distance of E Phi(x) and E Phi(G(z)), taken over a batch.

    It couples the examples of a replica's batch: two replicas give the mean over their halves. In place of the game's
    loss for G it is the term `feature_matching_game`.

    Args:
        weight: of the term beside the game's (thesis: 1).
        distance: of the two means: "norm", the root of the sum of squares over features; "squared" or "absolute", the
            mean over features.
    """

    needs = ("features",)

    def __init__(self, weight: float = 1.0, distance: str = "norm"):
        super().__init__()
        if distance not in DISTANCES:
            raise UsageError(f"Expected the distance of means to be one of {', '.join(DISTANCES)}, given {distance!r}.")
        self.weight, self.distance = weight, DISTANCES[distance]

    def generator_loss(self, forward: Forward) -> Losses:
        target = tf.stop_gradient(tf.reduce_mean(forward.real.features, axis=0))  # [F], to ALI's encoder too
        return {"feature_matching": self.weight * self.distance(target - tf.reduce_mean(forward.fake.features, axis=0))}
