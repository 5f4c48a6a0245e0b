"""CIFAR-10 with boundary equilibrium GAN: an autoencoder as discriminator, balanced by k_t.

Source: Berthelot, Schumm & Metz, 2017 (not among the papers at hand; the thesis's section 2.4 has its equations, a
public implementation the rest): gamma 0.5, lambda_k 0.001, 128 maps, 64 latents U(-1, 1), 64 numbers of code, batch 16,
Adam 1e-4 halved every 100,000 steps, beta_1 0.9 (it has a flag for 0.5 and does not pass it on). L is the L1 norm per
pixel; the thesis's eq. 11 squares it.
The steps are ours: as many images as cifar10.
Expected: Inception score 5.62 in the paper [recalled]; 3.64 in the thesis and 5.4 in a comparison of public
implementations, each with its own networks.
Run: python -m tfdfm.train --config=cifar10_began
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "cifar10"
    config.terms = ("began",)
    config.latent_size = 64
    config.generator = dict(network="BEGAN", width=128)
    config.discriminator = dict(network="BEGAN", width=128)
    config.optimizer.update(halve_every=100_000, beta_1=0.9)
    config.batch_size = 16
    config.steps = 400_000
    return config
