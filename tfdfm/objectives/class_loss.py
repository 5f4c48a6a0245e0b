"""The class loss of AC-GAN (Odena, Olah & Shlens, ICML 2017) beside any game."""

from tfdfm.objectives.acgan import class_accuracy, class_entropy
from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward


class ClassLoss(Objective):
    """D learns to tell the classes of the data, and G makes samples whose class D tells: L_C (eq. 3) of each.

    It differs from eq. 3 in that D does not learn classes from samples: what it tells of them then comes from the data
    alone. Phi, which must tell classes, is not only of texture any more.

    Args:
        weight: of - log P(c | x) in D's loss.
        generator_weight: of - log P(c | G(z, c)) in G's.
    """

    needs = ("class_logits",)
    conditional = True

    def __init__(self, weight: float = 1.0, generator_weight: float = 0.3):
        super().__init__()
        self.weight, self.generator_weight = weight, generator_weight

    def discriminator_loss(self, forward: Forward) -> Losses:
        return {"class": self.weight * class_entropy(forward.real.class_logits, forward.labels)}

    def generator_loss(self, forward: Forward) -> Losses:
        return {"class": self.generator_weight * class_entropy(forward.fake.class_logits, forward.sample_labels)}

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        return class_accuracy(forward)
