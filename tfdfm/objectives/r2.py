"""The zero-centred gradient penalty on samples, R2 (Mescheder, Geiger & Nowozin, ICML 2018, eq. 10)."""

from tfdfm.objectives.base import Losses
from tfdfm.objectives.forward import Forward
from tfdfm.objectives.r1 import R1


class R2(R1):
    """R1's penalty at samples, which G does not feel; with R1 it is what keeps R3GAN's game stable (section 2.2).

    Args:
        gamma, every: as R1's.
    """

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {"r2": self._penalty(forward, forward.generated, "samples", forward.sample_labels)}
