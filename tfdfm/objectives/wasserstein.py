"""Wasserstein GAN (Arjovsky, Chintala & Bottou, 2017; slides, "Wasserstein GAN"; thesis section 2.3)."""

from collections.abc import Mapping, Set

import keras
import tensorflow as tf

from tfdfm.objectives.base import ADVERSARIAL, Losses, Objective
from tfdfm.objectives.forward import Forward


class Wasserstein(Objective):
    """The critic's score is high on data and low on samples; the difference estimates their Wasserstein distance.

    The critic must be Lipschitz: its weights are clipped after each of its steps, or `gradient_penalty` sees to it.

    Args:
        clip: the largest weight of the critic (paper: 0.01); 0: none, with a gradient penalty.
    """

    primary, players = True, ADVERSARIAL

    def __init__(self, clip: float = 0.01):
        super().__init__()
        self.clip = clip

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {"data": -forward.real.score, "samples": forward.fake.score}  # E f(G(z)) - E f(x), algorithm 1, line 5

    def generator_loss(self, forward: Forward) -> Losses:
        return {"wasserstein": -forward.fake.score}  # - E f(G(z)), line 10

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        return {"discriminator/distance": tf.reduce_mean(forward.real.score) - tf.reduce_mean(forward.fake.score)}

    def after_step(self, networks: Mapping[str, keras.Model], logs: Losses, *, moved: Set[str]) -> Losses:
        if self.clip and "discriminator" in moved:
            for weight in networks["discriminator"].trainable_variables:
                weight.assign(tf.clip_by_value(weight.value, -self.clip, self.clip))  # line 7
        return {}
