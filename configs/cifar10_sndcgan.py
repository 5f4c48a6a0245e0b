"""CIFAR-10 with SNGAN's plain convolutional networks: the non-saturating game, every layer of D spectrally normalised.

Source: Miyato et al., ICLR 2018, table 3 and setting C: Adam 2e-4 with beta_1 0.5, one D move, batch 64, 128 latents
N(0, 1), 100,000 steps. G is the thesis's (Iliescu, 2018), whose 4x4 transposed convolutions start from 2x2x8n maps;
theirs start from 4x4x8n and end in a 3x3 convolution.
Expected: Inception score 7.42 +- 0.08, FID 29.3 in the paper.
Run: python -m tfdfm.train --config=cifar10_sndcgan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_gan")
    config.prior = "normal"
    config.generator.update(network="Iliescu", width=64)
    config.discriminator.update(network="SNDCGAN", width=64)
    config.play = "alternating"
    config.optimizer.learning_rate = 2e-4
    return config
