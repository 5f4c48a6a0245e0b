"""CIFAR-10 with the improved GAN, for samples: minibatch discrimination, historical averaging, one-sided label
smoothing and virtual batch norm.

Source: Salimans et al., 2016, sections 3.2 to 3.5, without their labels, and their code for CIFAR-10: 100 latents,
networks with weight norm, 100 kernels of 5 numbers, batch 100, Adam 3e-4, beta_1 0.5, its epsilon of 1e-8 below the
root (adam_root), D's target 0.9 on data, a reference batch as large as the batch. They use uniform
latents in [0, 1], here in [-1, 1]: the first batch norm undoes the difference but for its reference. No weight of
historical averaging was published: 0.001, as 1 stops both networks. Their code takes three steps of G for one of D and
no virtual batch norm; one of each here, as in the paper. It trains with labels what is sampled from for their score;
this is the unlabelled game.
Expected: Inception score 6.86 +- 0.06 in the paper (its row "-L+HA") [recalled]; 4.36 without historical averaging too,
8.09 with labels.
Run: python -m tfdfm.train --config=cifar10_improved
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "cifar10"
    config.terms = ("nonsaturating", "historical_averaging")
    config.play = "alternating"
    config.nonsaturating.smoothing = 0.1
    config.latent_size = 100
    config.generator = dict(network="ImprovedGAN", width=128, reference=100)
    config.discriminator = dict(network="ImprovedGAN", width=96, kernels=100)
    config.optimizer.learning_rate = 3e-4
    config.optimizer.method = "adam_root"
    config.batch_size = 100
    config.steps = 200_000
    return config
