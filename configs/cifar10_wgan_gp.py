"""CIFAR-10 with Wasserstein GAN and gradient penalty.

Source: Gulrajani et al., 2017, and their code for CIFAR-10: lambda 10, five critic steps, Adam 1e-4 with betas 0.5 and
0.9, batch 64, 128 latents N(0, 1), no batch norm in the critic. The networks are cifar10's, with biases in place of the
critic's batch norm; theirs have four times as many maps and fewer convolutions.
Expected: no score of these networks was published; 6.8 in a comparison of public implementations.
Run: python -m tfdfm.train --config=cifar10_wgan_gp
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10")
    config.terms = ("wasserstein", "gradient_penalty")
    config.wasserstein.clip = 0.0
    config.prior = "normal"
    config.discriminator.batch_norm = False
    config.n_critic = 5
    config.play = "alternating"
    config.optimizer.beta_2 = 0.9
    return config
