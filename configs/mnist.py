"""MNIST padded to 32 x 32, unconditional, with denoising feature matching.

Source: Warde-Farley & Bengio, ICLR 2017, which has no MNIST experiment: its objective and Radford et al.'s networks
at a quarter of their width, Adam 2e-4 as theirs. Phi has 4 x 4 x 128 = 2,048 features; the denoiser is as wide.
Expected: no published score.
Run: python -m tfdfm.train --dataset=mnist
Try: --config.score_every=1000, for which a classifier first learns the labels, once, for some minutes
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "mnist"
    config.latent_size = 64
    config.generator.width = 32
    config.discriminator.width = 32
    config.denoiser.depth = 2
    config.denoiser.width = 2048
    config.optimizer.learning_rate = 2e-4
    config.steps = 20_000
    return config
