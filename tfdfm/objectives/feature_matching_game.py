"""Feature matching in place of the adversarial loss (Salimans et al., 2016, section 3.1; dfm section 4)."""

from tfdfm.objectives.feature_matching import FeatureMatching
from tfdfm.objectives.minimax import Minimax


class FeatureMatchingGame(FeatureMatching, Minimax):
    """D plays the usual game; all that G does is match the mean features of data. Couples a replica's batch.

    Args:
        distance: as in `feature_matching`.
    """

    game = True

    def __init__(self, distance: str = "squared"):
        super().__init__(distance=distance)
