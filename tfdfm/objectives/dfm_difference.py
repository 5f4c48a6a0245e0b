"""Denoising feature matching with both directions: the difference of two denoisers."""

import tensorflow as tf

from tfdfm.objectives.base import Losses
from tfdfm.objectives.dfm import DenoisingFeatureMatching
from tfdfm.objectives.forward import Forward


class DenoisingFeatureDifference(DenoisingFeatureMatching):
    """G's features are drawn to what is denser in the data's features, and away from where its own are dense already.

    (r(phi) - phi) / sigma^2 is the slope of the log density of what r has learnt, corrupted (dfm, eq. 3; Alain &
    Bengio, 2014). With a second denoiser s, of samples, the target Phi + r(Phi) - s(Phi) is that of two slopes, of
    data and of samples: it stands still where the distributions agree, where r's alone draws all samples to the modes.
    Distribution matching distillation (Yin et al., CVPR 2024) does so with diffusion models of images.

    Args:
        all keys: as of `dfm`.
    """

    players = {"denoiser": ("denoiser",), "sample_denoiser": ("sample_denoiser",)}

    def sample_denoiser_loss(self, forward: Forward) -> Losses:
        return {"dfm": self._error(forward, "sample_denoiser", forward.fake.features, forward.tracked)}

    def _target(self, forward: Forward, phi: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
        of_data, of_samples = (
            self._denoised(forward, name, phi, sigma, forward.untracked) for name in ("denoiser", "sample_denoiser")
        )
        return phi + of_data - of_samples
