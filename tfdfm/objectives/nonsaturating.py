"""The non-saturating game (Goodfellow et al., 2014; dfm eq. 2), with one-sided label smoothing (Salimans et al.)."""

from tfdfm.objectives.base import Losses
from tfdfm.objectives.forward import Forward
from tfdfm.objectives.minimax import Minimax, cross_entropy


class NonSaturating(Minimax):
    """D as in the original game; arg max_G E log D(G(z)).

    Args:
        smoothing: D's target on data is 1 - smoothing; on samples it stays 0 (one-sided).
    """

    def __init__(self, smoothing: float = 0.0):
        super().__init__()
        self.smoothing = smoothing

    def discriminator_loss(self, forward: Forward) -> Losses:
        return super().discriminator_loss(forward) | {"data": cross_entropy(forward.real.score, 1.0 - self.smoothing)}

    def generator_loss(self, forward: Forward) -> Losses:
        return {"nonsaturating": cross_entropy(forward.fake.score, 1.0)}  # - log D(G(z))  (eq. 2)
