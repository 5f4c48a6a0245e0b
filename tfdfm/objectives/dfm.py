"""Denoising feature matching (Warde-Farley & Bengio, ICLR 2017)."""

from collections.abc import Mapping, Set

import keras
import tensorflow as tf

from tfdfm.errors import UsageError
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
        sigma_least: if above 0, each example has a sigma of its own, log-uniform from here to `sigma`, which r
            is told (`denoiser.told_sigma`), of data and of samples alike. Not with anneal_steps.
        level_power: k; a sample's term is (sigma / its own)^k times as heavy. 2: of the slope of the log density
            (Alain & Bengio, 2014) on all levels alike.
    """

    needs = ("features",)
    players = {"denoiser": ("denoiser",)}

    def __init__(
        self,
        weight: float = 0.03,
        sigma: float = 1.0,
        anneal_steps: int = 0,
        gradient_ratio: float = 0.0,
        sigma_least: float = 0.0,
        level_power: float = 0.0,
    ):
        super().__init__()
        if not 0 <= sigma_least <= sigma:
            raise UsageError(
                f"Expected sigma_least of dfm between 0 and sigma, {sigma}; given {sigma_least}. "
                "Set --config.dfm.sigma_least."
            )
        if sigma_least and anneal_steps:
            raise UsageError(
                "Several noise levels are not annealed. Set --config.dfm.sigma_least or anneal_steps to 0."
            )
        self.weight, self.sigma, self.anneal_steps = weight, sigma, anneal_steps
        self.sigma_least, self.level_power = sigma_least, level_power
        self.gradient_ratio = gradient_ratio
        self.gradient_norms_every = BALANCE_EVERY if gradient_ratio else 0

    def build(self, networks: Mapping[str, keras.Model]) -> None:
        if bool(self.sigma_least) != getattr(networks["denoiser"], "told_sigma", False):
            raise UsageError(
                f"A denoiser is told sigma where there are several: given sigma_least={self.sigma_least} and another "
                f"denoiser. Set --config.denoiser.told_sigma={bool(self.sigma_least)}."
            )
        if self.gradient_ratio:
            self.balance = self.variable(self.weight, "balance")
            self.moves = self.variable(0, "moves", tf.int64)

    def denoiser_loss(self, forward: Forward) -> Losses:
        return {"dfm": self._error(forward, "denoiser", forward.real.features, forward.tracked)}  # eq. 5

    def generator_loss(self, forward: Forward) -> Losses:
        phi = self._scaled(forward, forward.fake.features)  # [B, F]
        scale = (self.balance if self.gradient_ratio else self.weight) / phi.shape[-1]
        sigma = self._sigmas(forward, "target", phi.shape[0])
        if self.sigma_least:
            scale *= tf.squeeze((self.sigma / sigma) ** self.level_power, 1)  # [B]
        target = tf.stop_gradient(self._target(forward, tf.stop_gradient(phi), sigma))
        return {"dfm": scale * squared_norm(phi - target)}  # lambda || Phi(G(z)) - ... ||^2  (eq. 4)

    def _target(self, forward: Forward, phi: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
        """What features [B, F] of samples are drawn to: r(Phi(G(z)))."""
        return self._denoised(forward, "denoiser", phi, sigma, forward.untracked)

    def _error(self, forward: Forward, denoiser: str, features: tf.Tensor, statistics) -> tf.Tensor:
        """|| Phi - r(C(Phi)) ||^2, [B], of features [B, F]."""
        phi = self._scaled(forward, tf.stop_gradient(features), statistics if denoiser == "denoiser" else None)
        sigma = self._sigmas(forward, _stream(denoiser), phi.shape[0])
        corrupted = phi + sigma * forward.random.normal(_stream(denoiser), phi.shape)
        return squared_norm(phi - self._denoised(forward, denoiser, corrupted, sigma, statistics))

    def _denoised(self, forward: Forward, denoiser: str, phi: tf.Tensor, sigma: tf.Tensor, statistics) -> tf.Tensor:
        told = {"sigma": sigma} if self.sigma_least else {}
        return forward.networks[denoiser](phi, statistics=statistics, **told)

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

    def _sigmas(self, forward: Forward, stream: str, count: int) -> tf.Tensor:
        """Of each example [B, 1], or of all, a scalar."""
        if not self.sigma_least:
            return self._sigma(forward)
        drawn = forward.random.uniform(f"{stream}/sigma", [count, 1])
        return self._sigma(forward) * (self.sigma_least / self.sigma) ** drawn

    def _sigma(self, forward: Forward) -> tf.Tensor:
        return decayed(self.sigma, self.anneal_steps, forward.step)


def _stream(denoiser: str) -> str:
    return "corruption" if denoiser == "denoiser" else f"corruption/{denoiser}"


def squared_norm(x: tf.Tensor) -> tf.Tensor:
    """[B, F] -> [B]"""
    return tf.reduce_sum(tf.square(x), axis=-1)
