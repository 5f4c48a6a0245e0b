"""Denoising feature matching (Warde-Farley & Bengio, ICLR 2017)."""

from collections.abc import Mapping, Set

import keras
import tensorflow as tf

from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward, decayed

BALANCE_EVERY, BALANCE_KEPT = 10, 0.9  # steps between measures of the gradients' norms; of the running average


class DenoisingFeatureMatching(Objective):
    """A denoiser r learns the features Phi(x) of data; G is drawn to what r makes of the features of its samples.

    Corruption C is isotropic Gaussian noise, added to the features of data only. r's output on samples is a constant:
    no gradient flows through r. Phi is a constant to the denoiser. The weight is divided by the number of features
    (section 5). A denoiser that whitens sees all features, and is judged, on its own scale.

    Args:
        weight: lambda_denoise times the number of features (section 5: 0.03).
        gradient_ratio: what the norm of this term's gradient on G is to be, over that of G's other terms; the weight
            then follows, by a running average of what would make it so, from `weight` on. 0: the weight stays.
        sigma: standard deviation of the corruption (section 5: 1, fixed).
        anneal_steps: steps in which sigma falls linearly to 0, as the paper tried without gain; 0 keeps it fixed.
    """

    needs = ("features",)
    players = {"denoiser": ("denoiser",)}

    def __init__(self, weight: float = 0.03, sigma: float = 1.0, anneal_steps: int = 0, gradient_ratio: float = 0.0):
        super().__init__()
        self.weight, self.sigma, self.anneal_steps = weight, sigma, anneal_steps
        self.gradient_ratio = gradient_ratio
        self.gradient_norms_every = BALANCE_EVERY if gradient_ratio else 0

    def build(self, networks: Mapping[str, keras.Model]) -> None:
        if self.gradient_ratio:
            self.balance = self.variable(self.weight, "balance")
            self.moves = self.variable(0, "moves", tf.int64)

    def denoiser_loss(self, forward: Forward) -> Losses:
        return {"dfm": self._error(forward, "denoiser", forward.real.features, forward.tracked)}  # eq. 5

    def generator_loss(self, forward: Forward) -> Losses:
        phi = self._scaled(forward, forward.fake.features)  # [B, F]
        scale = (self.balance if self.gradient_ratio else self.weight) / phi.shape[-1]
        return {
            "dfm": scale * squared_norm(phi - self._target(forward, phi))
        }  # lambda || Phi(G(z)) - ... ||^2  (eq. 4)

    def _target(self, forward: Forward, phi: tf.Tensor) -> tf.Tensor:
        """What features [B, F] of samples are drawn to, a constant: r(Phi(G(z)))."""
        return tf.stop_gradient(forward.networks["denoiser"](tf.stop_gradient(phi), statistics=forward.untracked))

    def _error(self, forward: Forward, denoiser: str, features: tf.Tensor, statistics) -> tf.Tensor:
        """|| Phi - r(C(Phi)) ||^2, [B], of features [B, F]."""
        phi = self._scaled(forward, tf.stop_gradient(features), statistics if denoiser == "denoiser" else None)
        corrupted = phi + self._sigma(forward) * forward.random.normal(_stream(denoiser), phi.shape)
        return squared_norm(phi - forward.networks[denoiser](corrupted, statistics=statistics))

    def _scaled(self, forward: Forward, features: tf.Tensor, statistics=None) -> tf.Tensor:
        scaled = getattr(forward.networks["denoiser"], "scaled", None)
        return scaled(features, statistics) if scaled else features

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        """Whether sigma fits the features, and r does better than their mean (at 1 it drags samples into blur)."""
        variance = tf.math.reduce_variance(self._scaled(forward, forward.real.features), axis=0)  # [F]
        error = tf.reduce_mean(losses["denoiser"]["dfm"])
        return {
            "denoiser/sigma": self._sigma(forward),
            "denoiser/feature_deviation": tf.sqrt(tf.reduce_mean(variance)),
            "denoiser/unexplained_variance": tf.math.divide_no_nan(error, tf.reduce_sum(variance)),
        }

    def after_step(self, networks: Mapping[str, keras.Model], logs: Losses, *, moved: Set[str]) -> Losses:
        if not self.gradient_ratio:
            return {}
        norms = {name: norm for name, norm in logs.items() if name.startswith("generator/gradient_norm_")}
        own = norms.pop("generator/gradient_norm_dfm", tf.zeros([]))
        if "generator" in moved and norms:
            others = tf.linalg.global_norm(list(norms.values()))
            wanted = self.balance * self.gradient_ratio * others / tf.maximum(own, 1e-12)
            averaged = self.balance**BALANCE_KEPT * wanted ** (1.0 - BALANCE_KEPT)
            due = (self.moves % BALANCE_EVERY == 0) & (own > 0) & (others > 0)  # other norms are measured for the log
            self.balance.assign(tf.where(due, averaged, self.balance))
            self.moves.assign_add(1)
        return {"generator/dfm_weight": self.balance.read_value()}

    def _sigma(self, forward: Forward) -> tf.Tensor:
        return decayed(self.sigma, self.anneal_steps, forward.step)


def _stream(denoiser: str) -> str:
    return "corruption" if denoiser == "denoiser" else f"corruption/{denoiser}"


def squared_norm(x: tf.Tensor) -> tf.Tensor:
    """[B, F] -> [B]"""
    return tf.reduce_sum(tf.square(x), axis=-1)
