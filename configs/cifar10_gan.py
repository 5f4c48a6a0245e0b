"""The baseline of cifar10: the same networks without denoising feature matching.

Expected: no score of this twin was published; the paper compares with ALI (5.34 +- 0.05) and improved GAN without
labels (4.36 +- 0.04).
Run: python -m tfdfm.train --config=cifar10_gan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10")
    config.terms = ("nonsaturating",)
    return config
