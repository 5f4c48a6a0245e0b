"""Feature matching in place of the adversarial loss (Salimans et al., 2016, section 3.1; dfm section 4)."""

from tfdfm.objectives.base import Losses
from tfdfm.objectives.feature_matching import FeatureMatching
from tfdfm.objectives.forward import Forward
from tfdfm.objectives.minimax import Minimax


class FeatureMatchingGame(FeatureMatching, Minimax):
    """D plays the usual game; all that G does is match the mean features of data. Couples a replica's batch.

    With a discriminator of K classes whose score is log sum exp of their logits, D's loss is that of the classes K + 1,
    the last one's logit 0 (section 5): - log p(y <= K | x) and - log p(K + 1 | G(z)).

    Args:
        distance: as in `feature_matching`.
        discriminator_weight: of D's loss, beside `classification` (Salimans et al.'s code: 1/2).
    """

    primary = True

    def __init__(self, distance: str = "squared", discriminator_weight: float = 1.0):
        super().__init__(distance=distance)
        self.discriminator_weight = discriminator_weight

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {name: self.discriminator_weight * loss for name, loss in super().discriminator_loss(forward).items()}
