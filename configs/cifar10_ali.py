"""CIFAR-10 with adversarially learned inference: an encoder, and a discriminator of images with their codes.

Source: Dumoulin et al., 2017 (slides, algorithm 1); networks and numbers from their code: convolutions without padding,
weights N(0, 0.01), maxout of 2 pieces and dropout in D, batch 100, Adam 1e-4, beta_1 0.5, 64 latents N(0, 1), 1,000
epochs, all updates at once. The paper has pixels in [0, 1]: its networks take [-1, 1] there themselves. Where the paper
and its code differ, and what is left out of them, is said at the networks. Beside samples/step_*.png, data and their
reconstructions in samples/reconstructions_*.png.
Expected: Inception score 5.34 +- 0.05, as quoted by Warde-Farley & Bengio, ICLR 2017.
Run: python -m tfdfm.train --config=cifar10_ali
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "cifar10"
    config.terms = ("ali",)
    config.latent_size = 64
    config.prior = "normal"
    config.generator = dict(network="ALI", width=32, log_odds=-0.11)  # of the mean pixel, 0.473
    config.encoder = dict(network="ALI", width=32)
    config.discriminator = dict(network="ALI", width=32)
    config.optimizer.learning_rate = 1e-4
    config.batch_size = 100
    config.steps = 500_000
    return config
