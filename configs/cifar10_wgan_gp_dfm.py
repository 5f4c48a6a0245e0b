"""CIFAR-10 with Wasserstein GAN, gradient penalty and denoising feature matching.

Source: cifar10_wgan_gp and cifar10, composed: DFM's authors name such combinations as future work (section 6). The
denoiser moves once a step, with G, on the last of the critic's five batches. Phi has no batch norm: its scale is free.
Expected: no published score.
Run: python -m tfdfm.train --config=cifar10_wgan_gp_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_wgan_gp")
    config.terms = (*config.terms, "dfm")
    return config
