"""Handwritten digits at 16 x 16: scikit-learn's bundled 1,797 real ones, no download.

Source: denoising feature matching (Warde-Farley & Bengio, ICLR 2017) on narrow networks of Radford et al.'s form,
with their Adam step of 2e-4 in place of the paper's 1e-4, ten times the paper's lambda, and 8 latents: with 16 or 64
fewer of the samples are digits (83 and 80 % instead of 85 %). Phi has 4 x 4 x 64 = 1,024 features; the denoiser is as
wide.
Expected: a convolutional classifier is sure that four of five samples are digits (tests/test_digits.py).
Run: python -m tfdfm.train
Scored every 500 steps by a classifier that first learns the labels, once, for half a minute.
Try: --config.dfm.weight=0.03
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "digits"
    config.latent_size = 8
    config.generator.width = 32
    config.discriminator.width = 32
    config.denoiser.depth = 2
    config.denoiser.width = 1024
    config.optimizer.learning_rate = 2e-4
    config.dfm.weight = 0.3
    config.steps = 3000
    config.steps_per_execution = 10
    config.log_every = 50
    config.sample_every = 250
    config.checkpoint_every = 250
    config.score_every = 500
    return config
