"""CIFAR-10 at 32 x 32, unconditional, with denoising feature matching.

Source: Warde-Farley & Bengio, ICLR 2017, section 5.1: Radford et al.'s 32-pixel networks with half the maps, Adam
1e-4, beta_1 0.5, lambda 0.03 / n_h, sigma 1, all updates at once. From the author's reply to a reimplementation:
discriminator 32, 32s2, 64, 64s2, 128, 128s2, so Phi has 4 x 4 x 128 = 2,048 features. The reply's generator
contradicts the paper's "less than 40 % of the parameters" of Salimans et al.'s (4.93 M); 128 latents and 64 maps
(1.68 M, 34 %) fit it and are taken. The denoiser of 10 x 2,048 is the ImageNet one; the paper gives none for
CIFAR-10. Latents U(-1, 1) are Radford et al.'s.
Expected: Inception score 7.72 +- 0.13 in the paper; nobody has published a reproduction.
Cost: about 0.4 s a step on two cores.
Run: python -m tfdfm.train --dataset=cifar10
Try: --config.score_every=1000, for which a classifier first learns the labels, once, for a quarter of an hour
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "cifar10"
    config.latent_size = 128
    config.generator.width = 64
    config.discriminator.width = 32
    config.denoiser.depth = 10
    config.denoiser.width = 2048
    config.batch_size = 64
    config.steps = 100_000
    return config
