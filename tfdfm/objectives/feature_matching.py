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
        layer: the convolution of D whose activations, after the nonlinearity, are matched in place of Phi (thesis: 3);
            0: Phi.
    """

    needs = ("features",)

    def __init__(self, weight: float = 1.0, distance: str = "norm", layer: int = 0):
        super().__init__()
        if distance not in DISTANCES:
            raise UsageError(f"Expected the distance of means to be one of {', '.join(DISTANCES)}, given {distance!r}.")
        if layer < 0:
            raise UsageError(
                f"Expected the layer to match to be at least 0, which is Phi, given {layer}. "
                "Set --config.feature_matching.layer."
            )
        self.weight, self.distance, self.layer = weight, DISTANCES[distance], layer
        self.needs = ("activations",) if layer else ("features",)

    def generator_loss(self, forward: Forward) -> Losses:
        data, samples = (self._features(output) for output in (forward.real, forward.fake))
        target = tf.stop_gradient(tf.reduce_mean(data, axis=0))  # [F], to ALI's encoder too
        return {"feature_matching": self.weight * self.distance(target - tf.reduce_mean(samples, axis=0))}

    def _features(self, output) -> tf.Tensor:
        """Of D's output: [B, F], or [B, h, w, M] of a convolution."""
        if not self.layer:
            return output.features
        if self.layer > len(output.activations):
            raise UsageError(
                f"The discriminator has {len(output.activations)} convolutions, given layer {self.layer} to match. "
                "Set --config.feature_matching.layer."
            )
        return output.activations[self.layer - 1]
