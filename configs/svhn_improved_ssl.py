"""SVHN with 1,000 labels: the improved GAN as a classifier of K + 1 classes, its generator by feature matching.

Source: Salimans et al., 2016, section 5, and their code: as cifar10_improved_ssl, D with 64 maps in place of 96, and
900 epochs of 732 steps, from the 600th of which the learning rate falls to 0. What is said of weight norm and of the
average of the weights in cifar10_improved_ssl goes for this one, too.
Expected: a test error of 8.11 +- 1.3 % in the paper.
Run: python -m tfdfm.train --config=svhn_improved_ssl
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_improved_ssl")
    config.dataset = "svhn"
    config.num_labelled = 1000
    config.discriminator.width = 64
    config.optimizer.decay_from = 439_200
    config.optimizer.decay_until = 658_800
    config.steps = 658_800
    return config
