"""The non-saturating game (Goodfellow et al., 2014; dfm eq. 2), with label smoothing (slides)."""

from tfdfm.objectives.base import Losses
from tfdfm.objectives.forward import Forward
from tfdfm.objectives.minimax import Minimax, cross_entropy


class NonSaturating(Minimax):
    """D as in the original game; arg max_G E log D(G(z)).

    Args:
        smoothing: D's target on data is 1 - smoothing (slides: alpha = 0.9).
        sample_smoothing: D's target on samples (slides: beta = 0.1); 0, one-sided smoothing, is what is advised there.
    """

    def __init__(self, smoothing: float = 0.0, sample_smoothing: float = 0.0):
        super().__init__()
        self.smoothing, self.sample_smoothing = smoothing, sample_smoothing

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {
            "data": cross_entropy(forward.real.score, 1.0 - self.smoothing),
            "samples": cross_entropy(forward.fake.score, self.sample_smoothing),
        }

    def generator_loss(self, forward: Forward) -> Losses:
        return {"nonsaturating": cross_entropy(forward.fake.score, 1.0)}  # - log D(G(z))  (eq. 2)
