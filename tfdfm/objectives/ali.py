"""Adversarially learned inference (Dumoulin et al., 2017; slides, algorithm 1)."""

from tfdfm.objectives.base import Losses
from tfdfm.objectives.forward import Forward, once
from tfdfm.objectives.minimax import Minimax, cross_entropy
from tfdfm.objectives.vae import Inference


class Joint(Inference):
    """D sees pairs: an image with what the encoder infers from it, a sample with the latents that it was made of."""

    @once
    def real(self):
        """rho_q = D(x, z^)"""
        return self.discriminate(self.images, "data", self.tracked, codes=self.codes)

    @once
    def fake(self):
        """rho_p = D(x~, z)"""
        return self.discriminate(self.generated, "samples", self.untracked, codes=self.latents)


class AdversariallyLearnedInference(Minimax):
    """min_G max_D  E log D(x, E(x)) + E log(1 - D(G(z), z)), G and E one player; D's own loss is `minimax`'s.

    Both terms reach the player: E through the pairs of data, G through those of samples. As in algorithm 1 it
    minimises the loss in which D's answers are swapped, not the negative of D's.
    """

    forward, takes_codes = Joint, True
    players = {"generator": ("generator", "encoder"), "discriminator": ("discriminator",)}

    def generator_loss(self, forward: Forward) -> Losses:
        return {
            "inference": cross_entropy(forward.real.score, 0.0),  # - log(1 - rho_q) = softplus(D(x, z^))
            "generation": cross_entropy(forward.fake.score, 1.0),  # - log rho_p = softplus(- D(x~, z))
        }
