"""Handwritten digits at 16 x 16 (scikit-learn's bundled 1,797; no download).

Source: denoising feature matching (Warde-Farley & Bengio, ICLR 2017) on Radford et al.'s networks, narrow, with their Adam step of
2e-4 instead of the paper's 1e-4 and a denoiser of 2 x 512, as wide as Phi is not (1,024). Recognisable, varied digits.
Cost: about three minutes on two cores.
Run: python -m tfdfm.train
Try: --config.dfm.weight=0.3
"""

from tfdfm.config import defaults


def get_config():
    config = defaults()
    config.dataset = "digits"
    config.latent_size = 64
    config.generator.width = 32
    config.discriminator.width = 32
    config.denoiser.depth = 2
    config.denoiser.width = 1024
    config.optimizer.learning_rate = 2e-4
    config.steps = 2500
    config.steps_per_execution = 10
    config.log_every = 50
    config.sample_every = 250
    config.checkpoint_every = 250
    return config
