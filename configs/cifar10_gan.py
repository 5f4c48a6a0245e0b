"""The baseline of cifar10: the same networks without denoising feature matching.

Expected: 5.34 +- 0.05 (ALI) and 4.36 +- 0.04 (improved GAN without labels) are the paper's other unsupervised scores.
Run: python -m tfdfm.train --config=cifar10_gan
"""

from tfdfm.config import recipe


def get_config():
    config = recipe("cifar10")
    config.terms = ("nonsaturating",)
    return config
