"""Historical averaging (Salimans et al., 2016, section 3.3; slides, "Improved techniques")."""

from collections.abc import Mapping, Set

import keras
import tensorflow as tf

from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward


class HistoricalAveraging(Objective):
    """|| theta - 1/t sum_i theta[i] ||^2 for the weights of each of G and D, their values at the start included.

    The mean is kept, one number a weight. No code of it is public, and no weight of the term, which sums over all
    weights of a network: with 1 it holds them where they started (in cifar10_improved its gradient was the larger one
    for half of the weights, and D's kernels had stopped after 300 steps).

    Args:
        weight: of the term in both losses.
    """

    needs = ("score",)  # a discriminator

    def __init__(self, weight: float = 1e-3):
        super().__init__()
        self.weight = weight

    def build(self, networks: Mapping[str, keras.Model]) -> None:
        self.counts = {name: self.variable(1.0, f"{name}_count") for name in _weights(networks)}
        self.means = {
            name: [self.variable(weight.numpy(), f"{name}_{place}") for place, weight in enumerate(of)]
            for name, of in _weights(networks).items()
        }

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {"historical_averaging": self._distance(forward, "discriminator")}

    def generator_loss(self, forward: Forward) -> Losses:
        return {"historical_averaging": self._distance(forward, "generator")}

    def after_step(self, networks: Mapping[str, keras.Model], logs: Losses, *, moved: Set[str]) -> Losses:
        for name in moved & self.means.keys():
            self.counts[name].assign_add(1.0)
            for mean, weight in zip(self.means[name], networks[name].trainable_variables, strict=True):
                mean.assign_add((weight.value - mean) / self.counts[name])
        return {}

    def _distance(self, forward: Forward, name: str) -> tf.Tensor:
        pairs = zip(_weights(forward.networks)[name], self.means[name], strict=True)
        return self.weight * tf.add_n([tf.reduce_sum(tf.square(weight.value - mean)) for weight, mean in pairs])


def _weights(networks) -> dict[str, list]:
    return {name: networks[name].trainable_variables for name in ("generator", "discriminator")}
