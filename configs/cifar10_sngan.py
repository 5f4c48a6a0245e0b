"""CIFAR-10 with SNGAN: residual networks, every layer of D spectrally normalised, the hinge game.

Source: Miyato et al., ICLR 2018, table 4 and appendix B.2, as mimicry (Lee & Town, 2020) trains it: Adam 2e-4 with
betas 0 and 0.9, its rate falling linearly to 0, five D moves, batch 64, 100,000 steps, 128 latents N(0, 1). In both
each D move has its own batch; the paper's G moves on samples of twice the batch. Upsampling is the paper's, nearest.
Expected: Inception score 7.97, FID 16.77 (mimicry); 8.22 +- 0.05 and 21.7 in the paper.
Run: python -m tfdfm.train --config=cifar10_sngan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10")
    config.terms = ("hinge",)
    config.prior = "normal"
    config.generator.network = config.discriminator.network = "SNGAN"
    config.generator.width = 256
    config.discriminator.width = 128
    config.n_critic = 5
    config.play = "alternating"
    config.optimizer.update(learning_rate=2e-4, beta_1=0.0, beta_2=0.9, decay_until=100_000)
    return config
